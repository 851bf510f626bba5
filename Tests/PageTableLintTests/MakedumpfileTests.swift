import Foundation
import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// What makedumpfile itself writes: the same findings and dump as from its input.
@Suite struct MakedumpfileTests {
  private static let exists = (try? Samples.run(["makedumpfile", "-v"]))?.status == 0
  /// A whole capture of the laboratory, of which makedumpfile can filter pages.
  private static let capture: String? = {
    let lab = ProcessInfo.processInfo.environment["PTDUMP_LAB"] ?? "/var/tmp/ptdump-lab"
    let path = "\(lab)/captures/healthy/memory.elf"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()

  private func run(_ options: [String], _ input: String, _ outputs: [String]) throws {
    let result = try Samples.run(["timeout", "120", "makedumpfile"] + options + [input] + outputs)
    guard result.status == 0 else {
      Issue.record("\(options): \(String(decoding: result.output, as: UTF8.self))")
      return
    }
  }

  /// Whole memory: makedumpfile wants more of the kernel than an extract holds.
  @Test(.enabled(if: exists && capture != nil, "needs makedumpfile and the laboratory's captures"))
  func eachFormOfACapture() throws {
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: try #require(Self.capture))))
    func number(_ at: Int, _ size: Int) -> Int {
      (0..<size).reversed().reduce(0) { $0 << 8 | Int(bytes[at + $1]) }
    }
    // makedumpfile looks for the program headers right behind the ELF header; QEMU puts the
    // section headers there.
    let headers = Array(bytes[number(32, 8)..<(number(32, 8) + 56 * number(56, 2))])
    bytes.replaceSubrange(64..<(64 + headers.count), with: headers)
    for (value, at, size) in [(64, 32, 8), (0, 40, 8), (64, 52, 2), (0, 58, 2), (0, 60, 4)] {
      for index in 0..<size { bytes[at + index] = UInt8(value >> (8 * index) & 0xff) }
    }
    try FormatTests.withFiles([bytes]) { paths in
      let input = paths[0]
      let expected = try FormatTests.answer(ImageFile.open(path: input))
      for options in [
        ["-c", "-d", "0"], ["-l", "-d", "0"], ["-p", "-d", "1"], ["-z", "-d", "1"],
        ["-c", "-d", "31"],
      ] {
        let output = input + options.joined()
        try run(options, input, [output])
        let image = try ImageFile.open(path: output)
        #expect(try FormatTests.answer(image) == expected, "\(options)")
        // makedumpfile keeps zero pages, so none had to be guessed.
        #expect(Subject(image: try KernelImage(image)).tablesTakenForZero == 0)
      }
      let parts = (1...3).map { "\(input).part\($0)" }
      try run(["-c", "-d", "1", "--split"], input, parts)
      #expect(try FormatTests.answer(ImageFile.open(paths: parts.reversed())) == expected)
      try run(["-E", "-d", "0"], input, ["\(input).elf"])
      #expect(try FormatTests.answer(ImageFile.open(path: "\(input).elf")) == expected)
      let flat = "\(input).flat"
      _ = try Samples.run(["sh", "-c", "makedumpfile -F -c -d 31 \(input) > \(flat) 2>&-"])
      #expect(try FormatTests.answer(ImageFile.open(path: flat)) == expected)
    }
  }
}
