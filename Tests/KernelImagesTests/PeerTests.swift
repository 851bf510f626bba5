import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// Programs that walk the same tables by themselves: where each address leads must be the same.
///
/// Each is asked a thousand addresses an image, half of them edges of runs. What is not installed is
/// skipped with its reason; `make test` installs the first two.
@Suite struct PeerTests {
  private static let folder = Samples.root.appending(path: "Tests/Witnesses")

  /// Addresses of the kernel's table: the ends of runs and what lies beside them, then any.
  private static func addresses(_ space: AddressSpace, _ mode: TableFormat) -> [UInt64] {
    var random = SeededGenerator(0x2468_ace0_1357_9bdf)
    let runs = space.runs.filter { $0.last != mode.top }
    let edges = Set(runs.flatMap { [$0.start, $0.last, $0.last &+ 1] }.filter(mode.isCanonical))
    let count = Effort.isFull ? 4000 : 1000
    var found = Set(edges.sorted().shuffled(using: &random).prefix(count / 2))
    let leaves = runs.filter(\.isLeaf)
    while found.count < count {
      // Two of three are mapped.
      let among = Int.random(in: 0..<3, using: &random) > 0 ? leaves : runs
      guard let run = among.randomElement(using: &random) else { break }
      found.insert(run.start &+ UInt64.random(in: 0..<run.size, using: &random))
    }
    return found.sorted()
  }

  /// Runs a command with lines on its standard input.
  private static func ask(_ command: [String], _ lines: [String]) throws -> String {
    try Samples.withTemporaryFile { path in
      try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: path))
      let result = try Samples.run(
        ["sh", "-c", "input=$1; shift; exec \"$@\" < \"$input\" 2> /dev/null", "sh", path]
          + command)
      #expect(result.status == 0, "\(command.joined(separator: " "))")
      return String(decoding: result.output, as: UTF8.self)
    }
  }

  private static func works(_ command: [String]) -> Bool {
    (try? Samples.run(command))?.status == 0
  }

  /// Compares `ADDRESS PHYSICAL` lines with our own walk.
  private static func compare(_ output: String, _ image: KernelImage, count: Int) {
    let lines = output.split(separator: "\n")
    #expect(lines.count == count)
    for line in lines {
      let words = line.split(separator: " ")
      guard words.count == 2, let address = UInt64(hexText: words[0]) else {
        Issue.record("not understood: \(line)")
        return
      }
      let mine = image.walk(address).physical?.entry ?? "-"
      guard mine == words[1] else {
        Issue.record("\(address.address): \(words[1]) there, \(mine) here")
        return
      }
    }
  }

  // MARK: - libaddrxlat

  private static let hasAddrxlat = works(["pkg-config", "--exists", "libaddrxlat", "libkdumpfile"])

  @Test(
    .enabled(if: hasAddrxlat, "no libaddrxlat: apt-get install libkdumpfile-dev"),
    arguments: Samples.images)
  func addrxlatAgrees(_ sample: String) throws {
    let image = try Samples.image(sample)
    let program = FileManager.default.temporaryDirectory.appending(
      path: "ptdump-lint-addrxlat-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: program) }
    let built = try Samples.run([
      "gcc", "-O2", "-o", program, Self.folder.appending(path: "ask-addrxlat.c").path,
      "-lkdumpfile", "-laddrxlat",
    ])
    #expect(built.status == 0)
    let forms = [
      "x86-64 4-level": ["x86_64", "12,9,9,9,9"], "x86-64 5-level": ["x86_64", "12,9,9,9,9,9"],
      "i386 PAE": ["ia32_pae", "12,9,9,2"], "i386 2-level": ["ia32", "12,10,10"],
    ]
    let asked = Self.addresses(image.space(), image.mode)
    let output = try Self.ask(
      [program, image.memory.path, image.root.entry] + (forms[image.mode.name] ?? []),
      asked.map { $0.hex() })
    Self.compare(output, image, count: asked.count)
  }

  // MARK: - drgn

  /// The one that `make test` installs, else the system's.
  private static let python = [
    Samples.root.appending(path: ".build/witnesses/bin/python3").path, "python3",
  ].first { works([$0, "-c", "from _drgn import _linux_helper_follow_phys"]) }

  @Test(
    .enabled(if: python != nil, "drgn is not installed: pip install drgn"),
    arguments: Samples.images + Samples.arm64)
  func drgnAgrees(_ sample: String) throws {
    let image = try Samples.image(sample)
    // drgn reads no 32-bit x86, and wants VMCOREINFO, which tells the table's address.
    guard image.mode.addressBits > 32, let table = image.info?.symbol("swapper_pg_dir") else {
      return
    }
    let asked = Self.addresses(image.space(), image.mode)
    let output = try Self.ask(
      [
        Self.python ?? "", Self.folder.appending(path: "ask-drgn.py").path, image.memory.path,
        table.hex(),
      ], asked.map { $0.hex() })
    Self.compare(output, image, count: asked.count)
  }

  // MARK: - crash

  /// crash wants the vmlinux and the whole memory, which the laboratory has; 8.0.2 reads no 6.12.
  private static let laboratory = URL(
    filePath: ProcessInfo.processInfo.environment["PTDUMP_LAB"] ?? "/var/tmp/ptdump-lab")
  private static let captures = ["old-61", "old-61-pti", "old-61-5level"].filter { name in
    let path = laboratory.appending(path: "captures/\(name)/memory.elf").path
    return FileManager.default.fileExists(atPath: path)
  }
  private static let hasCrash = works(["crash", "--version"]) && !captures.isEmpty

  @Test(
    .enabled(if: hasCrash, "no crash, or none of its captures in the laboratory"),
    arguments: captures)
  func crashAgrees(_ name: String) throws {
    let path = Self.laboratory.appending(path: "captures/\(name)/memory.elf").path
    let image = try KernelImage(ImageFile.open(path: path))
    let mode = image.mode
    let asked = Self.addresses(image.space(), mode).filter { $0 >= mode.upperHalf }
    let output = try Self.ask(
      [
        "crash", "-s", "--no_kmem_cache",
        Self.laboratory.appending(path: "old-61.vmlinux").path, path,
      ], asked.map { "vtop -k \($0.hex())" } + ["quit"])
    // Each answer's deepest `PTE: ADDRESS => ENTRY`.
    var entries: [UInt64] = []
    for line in output.split(separator: "\n") {
      if line.hasPrefix("VIRTUAL") { entries.append(0) }
      let words = line.split(separator: " ")
      guard let arrow = words.firstIndex(of: "=>"), arrow + 1 < words.count, !entries.isEmpty,
        let entry = UInt64(hexText: words[arrow + 1])
      else { continue }
      entries[entries.count - 1] = entry
    }
    #expect(entries.count == asked.count)
    for (address, entry) in zip(asked, entries) {
      let last = image.walk(address).steps.last
      // The line of a level without an entry may be missing there.
      let mine = last.map { $0.entry & mode.present == 0 ? 0 : $0.entry }
      guard mine == (entry & mode.present == 0 ? 0 : entry) else {
        Issue.record("\(address.address): \(entry.entry) there, \(last?.entry.entry ?? "-") here")
        return
      }
    }
  }
}
