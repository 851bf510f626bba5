import SyntheticImages

/// Writes the benchmarks' images into a folder.
///
///     synthetic FOLDER SHAPE[-GIBIBYTES[-SPREAD]]...
@main struct Synthetic {
  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard let folder = arguments.first else {
      fatalError("synthetic FOLDER SHAPE[-GIBIBYTES[-SPREAD]]...")
    }
    for name in arguments.dropFirst() {
      let parts = name.split(separator: "-").map(String.init)
      guard let shape = SyntheticImage.Shape(rawValue: parts[0]) else {
        fatalError("no shape \(name)")
      }
      let gibibytes = parts.count > 1 ? Int(parts[1]) ?? 64 : 64
      let spread = parts.count > 2 ? SyntheticImage.Spread(rawValue: parts[2]) : .together
      guard let spread else { fatalError("no spread \(name)") }
      print(try SyntheticImage(shape, gibibytes: gibibytes, spread: spread).write(into: folder))
    }
  }
}
