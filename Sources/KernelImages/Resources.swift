internal import PageTables

/// A range of physical addresses with a purpose, as /proc/iomem lists it.
package struct Resource: Sendable, Equatable, Codable {
  package let start: UInt64
  /// Inclusive.
  package let last: UInt64
  package let name: String
  /// How many ranges it lies in.
  package let depth: Int

  package init(start: UInt64, last: UInt64, name: String, depth: Int) {
    self.start = start
    self.last = last
    self.name = name
    self.depth = depth
  }

  package var range: ClosedRange<UInt64> { start...last }
  package var isRAM: Bool { name.hasPrefix("System RAM") }

  /// Reads the text of /proc/iomem; nil where a line is not of that kind, or where all addresses
  /// are zero, as those who are not root see them.
  package static func parse(_ text: some StringProtocol) -> [Resource]? {
    var found: [Resource] = []
    for line in text.split(separator: "\n") {
      let indent = line.prefix { $0 == " " }.count
      let parts = line.dropFirst(indent).split(separator: " ", maxSplits: 2)
      guard parts.count == 3, parts[1] == ":" else { return nil }
      let ends = parts[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
      guard ends.count == 2, ends[0] <= ends[1] else { return nil }
      found.append(
        Resource(start: ends[0], last: ends[1], name: String(parts[2]), depth: indent / 2))
    }
    return found.contains { $0.last != 0 } ? found : nil
  }

  /// The text of /proc/iomem.
  static func text(_ resources: [Resource]) -> String {
    resources.map { resource in
      String(repeating: " ", count: 2 * resource.depth)
        + "\(resource.start.hex(digits: 8))-\(resource.last.hex(digits: 8)) : \(resource.name)\n"
    }.joined()
  }
}

extension VirtualReader {
  /// The ranges below the kernel's `iomem_resource`, in the order of /proc/iomem; nil where what
  /// lies at `address` is no such tree.
  ///
  /// Source: `struct resource`, include/linux/ioport.h: `desc` is there from 4.6 on, which a first
  /// child shows by the pointer to its parent. `start` and `end` have the size of an entry.
  func resources(at address: UInt64) -> [Resource]? {
    let size = mode.entrySize
    let name = 2 * size
    for links in [name + 3 * wordSize, name + 2 * wordSize] {
      guard let child = word(at: address &+ UInt64(links + 2 * wordSize)), child != 0,
        word(at: child &+ UInt64(links)) == address
      else { continue }
      var found: [Resource] = []
      var stack = [(address: child, depth: 0)]
      while let (at, depth) = stack.popLast() {
        guard found.count < 4096, depth < 16,
          let start = word(at: at, size: size), let last = word(at: at &+ UInt64(size), size: size),
          start <= last, let text = word(at: at &+ UInt64(name)),
          let sibling = word(at: at &+ UInt64(links + wordSize)),
          let child = word(at: at &+ UInt64(links + 2 * wordSize))
        else { return nil }
        found.append(
          Resource(start: start, last: last, name: string(at: text) ?? "?", depth: depth))
        if sibling != 0 { stack.append((address: sibling, depth: depth)) }
        if child != 0 { stack.append((address: child, depth: depth + 1)) }
      }
      return found
    }
    return nil
  }
}
