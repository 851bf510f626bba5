internal import PageTables

/// What a log tells of its boots, as far as it can speak for or against tables.
package struct LogText {
  /// In the order of the log; what comes before the first banner is none where there is one.
  package private(set) var boots: [LogBoot] = []

  private static let marks = ByteMarks(LogBoot.marks)

  package init(_ log: String) {
    var log = log
    log.makeContiguousUTF8()
    let bytes = log.utf8.span
    var boot = LogBoot()
    var start = 0
    while let place = Self.marks.place(in: bytes, from: start, to: bytes.count) {
      let range = bytes.line(around: place, from: start)
      start = range.upperBound
      let first = log.utf8.index(log.startIndex, offsetBy: range.lowerBound)
      let whole = log.utf8[first..<log.utf8.index(first, offsetBy: range.count)]
      for part in whole.split(separator: UInt8(ascii: "\r")) {
        let line = Substring(part)
        if let place = line.place(of: "Linux version ") {
          if boot.banner != nil { boots.append(boot) }
          boot = LogBoot()
          boot.banner = String(line[place.upperBound...])
        } else {
          boot.take(line)
        }
      }
    }
    boots.append(boot)
  }
}

/// What a log tells of one boot.
package struct LogBoot: Equatable {
  /// What follows `Linux version `.
  var banner: String?
  private(set) var commandLine: String?
  private(set) var pti: Bool?
  private(set) var noExecute: Bool?
  /// How far KASLR moved the image, as a panic prints it.
  private(set) var kernelOffset: UInt64?
  /// The frame behind the last one of RAM.
  private(set) var memoryFrames: UInt64?
  private(set) var mayHaveMoreMemory = false
  /// The frames that the paging mode can use at most.
  private var mostFrames: UInt64?

  /// What a line must hold to tell anything.
  static let marks =
    [
      "Linux version ", "ommand line: ", "age tables isolation: ",
      "NX (Execute Disable) protection: ", "Kernel Offset: 0x", "last_pfn = 0x",
    ] + moreMemory

  var release: String? { banner.map { String($0.prefix { $0 != " " }) } }

  /// Why tables of a mode are not those of the log's kernel.
  ///
  /// Source: `MAX_ARCH_PFN`, arch/x86/kernel/e820.c, and `MAX_PHYSMEM_BITS`,
  /// arch/x86/include/asm/sparsemem.h, 6.12: 46 bits with four levels, 52 with five, 36 with PAE.
  func contradiction(of mode: TableFormat) -> String? {
    guard let mostFrames else { return nil }
    let isFiveLevel = mostFrames >= 1 << 40
    let is32 = mostFrames <= 1 << 24
    let words = isFiveLevel ? "five levels" : is32 ? "32 bits" : "four levels"
    let fits =
      mode.top != ~0
      ? is32 : mode.levels.count == 5 ? isFiveLevel : !isFiveLevel && !is32
    return fits ? nil : "the log's kernel has tables of \(words), the input of \(mode.name)"
  }

  mutating func take(_ line: Substring) {
    if let place = line.place(of: "ommand line: ") {
      commandLine = commandLine ?? String(line[place.upperBound...])
    } else if line.place(of: "age tables isolation: ") != nil {
      if line.hasSuffix("isolation: enabled") { pti = true }
      if line.mentions("disabled on command line") { pti = false }
    } else if line.place(of: "NX (Execute Disable) protection: ") != nil {
      // "approximated by" segment limits, on old 32-bit kernels, is neither.
      if line.hasSuffix("protection: active") { noExecute = true }
      if line.mentions("disabled") || line.mentions("missing") { noExecute = false }
    } else if let place = line.place(of: "Kernel Offset: 0x") {
      kernelOffset = UInt64(hexText: line[place.upperBound...].prefix { $0.isHexDigit })
    } else {
      takeMemory(line)
    }
  }

  private mutating func takeMemory(_ line: Substring) {
    if let place = line.place(of: "last_pfn = 0x") {
      let number = UInt64(hexText: line[place.upperBound...].prefix { $0.isHexDigit })
      // A second line is of the memory below 4 GiB.
      if let number, number < 1 << 40 { memoryFrames = max(memoryFrames ?? 0, number) }
      if let most = line.place(of: "max_arch_pfn = 0x") {
        mostFrames = UInt64(hexText: line[most.upperBound...].prefix { $0.isHexDigit })
      }
    } else if Self.moreMemory.contains(where: { line.place(of: $0) != nil }) {
      mayHaveMoreMemory = true
    }
  }

  /// Words of memory that is mapped and not in `last_pfn`.
  private static let moreMemory = [
    "hotplug", "Hotplug", "ersistent", "pmem", "virtio_mem", "hv_balloon", "zone_device", " HMM",
    "soft reserved", "CXL",
  ]
}
