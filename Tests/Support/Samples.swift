package import Foundation
package import KernelImages
internal import MemoryImages
internal import PageTables
internal import Synchronization

/// Where the real captures lie, and what the tests want to know of them.
package enum Samples {
  package static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  package static let healthy = ["healthy", "healthy-pti", "healthy-5level"]
  package static let all =
    healthy + ["cpa-2008", "cpa-pti", "real-failure", "writable-executable", "faults"]
  /// Healthy kernels in other configurations, packed.
  package static let configurations = folders("configurations")
  /// Kernels of arm64, of each granule, width and release that was captured.
  package static let arm64 = folders("arm64")

  private static func folders(_ name: String) -> [String] {
    let folder = root.appending(path: "samples/\(name)").path
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
      !$0.contains(".")
    }.sorted()
  }
  package static let images = all + configurations

  package static func path(_ sample: String, _ file: String) -> String {
    let folder =
      configurations.contains(sample)
      ? "samples/configurations" : arm64.contains(sample) ? "samples/arm64" : "samples"
    return root.appending(path: "\(folder)/\(sample)/\(file)").path
  }

  package static func has(_ sample: String, _ file: String) -> Bool {
    FileManager.default.fileExists(atPath: path(sample, file))
  }

  package static func text(_ sample: String, _ file: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: path(sample, file))), as: UTF8.self)
  }

  package static func image(_ sample: String) throws -> KernelImage {
    try KernelImage(ImageFile.open(path: imagePath(sample)))
  }

  /// The process whose tables the first processor uses, the guest's init; nil with PAE, and where no
  /// processor tells.
  package static func process(_ image: KernelImage) -> KernelProcess? {
    guard let cpu = image.cpus.first, image.mode.root.entries == 512 else { return nil }
    let root = cpu.cr3 & 0x000f_ffff_ffff_f000
    let isIsolated = image.facts.pti?.value == true
    return KernelProcess(pid: 1, name: "init", root: isIsolated ? root & ~0x1000 : root)
  }

  /// Where the first process's tables start, as a capture of arm64 notes it.
  package static func userRoot(_ sample: String) throws -> UInt64? {
    guard has(sample, "roots.txt") else { return nil }
    let line = try text(sample, "roots.txt").split(separator: "\n").first {
      $0.hasPrefix("user.txt ")
    }
    return line.flatMap { UInt64(hexText: $0.dropFirst(9)) }
  }

  /// Where the image lies; a packed one is unpacked below .build, once.
  package static func imagePath(_ sample: String) throws -> String {
    let plain = path(sample, "memory.elf")
    if FileManager.default.fileExists(atPath: plain) { return plain }
    return try unpacking.withLock { _ in
      let folder = root.appending(path: ".build/samples")
      let packed = path(sample, "memory.elf.xz")
      let attributes = try FileManager.default.attributesOfItem(atPath: packed)
      let size = attributes[.size] as? Int ?? 0
      let target = folder.appending(path: "\(sample)-\(size).elf").path
      if !FileManager.default.fileExists(atPath: target) {
        try FileManager.default.createDirectory(
          at: URL(filePath: target).deletingLastPathComponent(), withIntermediateDirectories: true)
        let unpacked = try run(["xz", "-dc", packed])
        try unpacked.output.write(to: URL(filePath: target), options: .atomic)
      }
      return target
    }
  }

  private static let unpacking = Mutex(())

  /// Calls `body` with the path of a file to write, and removes the file.
  package static func withTemporaryFile<Result>(
    _ body: (String) throws -> Result
  ) rethrows -> Result {
    let path = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
  }

  /// The output of a command, standard error included.
  package static func run(_ command: [String]) throws -> (
    status: Int32, signalled: Bool, output: Data
  ) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // The older readDataToEndOfFile() ends the program when a signal interrupts it.
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, process.terminationReason == .uncaughtSignal, output)
  }
}
