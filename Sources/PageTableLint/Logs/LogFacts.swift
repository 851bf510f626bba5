internal import PageTables

/// What a kernel log says of its kernel and its machine, as far as reports are judged by it.
package struct LogFacts: Sendable, Equatable, Codable {
  package private(set) var release: String?
  /// The release that the first report with one names.
  private(set) var named: String?
  package private(set) var commandLine: String?
  /// The machine's memory in bytes.
  package private(set) var memory: UInt64?
  package private(set) var processors: Int?
  /// The bits of a physical address that the processor has.
  package private(set) var physicalBits: Int?
  package private(set) var hypervisor: String?
  /// Whether the kernel is a guest of Xen's without the hardware's help (PV), as far as a line tells.
  var isXenGuest: Bool?
  /// The names after `Memory Encryption Features active:`.
  package private(set) var encryption: String?
  /// Whether page-table isolation is on, as the Oops line or the boot says.
  package private(set) var pti: Bool?

  /// The letters after `Tainted:`, of the last line that has them.
  package private(set) var taint: String?

  /// The format of an arm64 kernel's tables, as its first report with one prints it.
  private(set) var arm64Format: TableFormat?
  /// Whether its lines are an arm64 kernel's.
  private(set) var isArm64 = false

  /// The control registers that the last report prints, by their names.
  var registers: [String: UInt64] = [:]

  /// The words of `KnownCause` that the log has.
  private(set) var words: Set<String> = []

  package init() {}

  /// `CPU: 0 PID: 1 Comm: init Not tainted 6.12.0 #1`.
  static func release(in text: String) -> String? {
    text.split { $0 == " " || $0 == "(" || $0 == ")" }.first { word in
      let parts = word.split(separator: ".", maxSplits: 2)
      return parts.count > 1 && Int(parts[0]) != nil && Int(parts[1].prefix { $0.isNumber }) != nil
    }.map { String($0).quotable() }
  }

  /// Whether KASLR is known to be off.
  var hasFixedLayout: Bool { commandLine?.split(separator: " ").contains("nokaslr") == true }

  /// Takes what one message tells; most tell nothing.
  mutating func take(_ text: String) {
    for word in KnownCause.words where !words.contains(word) && text.mentions(word) {
      words.insert(word)
    }
    takeRegisters(text)
    takeXen(text)
    arm64Format = arm64Format ?? TableFormat.arm64Format(printed: text)
    isArm64 =
      isArm64 || arm64Format != nil || text.mentions("arch/arm64/") || text.mentions("arm64/mm:")
      || text.hasPrefix("Booting Linux on physical CPU 0x")
    // What boot prints is of a processor that is not set up yet.
    if text.mentions("Brought up ") { registers = [:] }
    if named == nil, text.mentions("ainted") { named = Self.release(in: text) }
    if text.hasPrefix("Linux version ") {
      release = text.split(separator: " ").dropFirst(2).first.map { String($0).quotable() }
    } else if let place = text.place(of: "ommand line: ") {
      commandLine = commandLine ?? String(text[place.upperBound...]).quotable(most: 2048)
    } else if text.hasPrefix("Memory: "), let size = text.place(of: "K/") {
      // `Memory: 8019320K/8388608K available (…)`.
      memory = UInt64(text[size.upperBound...].prefix { $0.isNumber }).flatMap {
        $0.multipliedReportingOverflow(by: 1024).overflow ? nil : $0 << 10
      }
    } else if let place = text.place(of: "Brought up ") {
      // `smp: Brought up 1 node, 4 CPUs`.
      let words = text[place.upperBound...].split(separator: " ")
      processors = words.firstIndex(of: "CPUs").flatMap { $0 > 0 ? Int(words[$0 - 1]) : nil }
    } else if let place = text.place(of: "ypervisor detected: ") {
      hypervisor = String(text[place.upperBound...]).quotable()
      isXenGuest = text.hasSuffix(": Xen PV")
    } else if text.hasPrefix("Booting "), text.mentions("kernel on ") {
      isXenGuest = text.hasSuffix("kernel on Xen")
    } else if let place = text.place(of: "Encryption Features active: ") {
      encryption = String(text[place.upperBound...]).quotable()
    } else if let place = text.place(of: " Tainted: ") {
      let letters = text[place.upperBound...].prefix { $0.isUppercase || $0 == " " }
      taint = letters.filter { $0 != " " }
    } else if text.mentions("page table isolation: enabled") || text.mentions("PTI enabled") {
      pti = true
    } else if text.hasPrefix("address sizes") {
      // /proc/cpuinfo: `address sizes : 39 bits physical, 48 bits virtual`.
      physicalBits = text.split { !$0.isNumber }.first.flatMap { Int($0) }
    }
  }
}
