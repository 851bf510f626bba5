internal import PageTables

/// One report of a kernel log that concerns page tables.
package struct Fault: Sendable, Equatable, Codable {
  package enum Kind: String, Sendable, CaseIterable, Codable {
    case pageFault = "page-fault"
    case generalProtection = "general-protection"
    /// `Corrupted page table at address`: reserved bits.
    case corruptedTable = "corrupted-page-table"
    /// `bad pmd`: an entry that should point to a table; the address is that of the entry.
    case badEntry = "bad-entry"
    case badPageMap = "bad-page-map"
    case badPageState = "bad-page-state"
    case badCounter = "bad-rss-counter"
    /// `Found insecure W+X mapping at address`.
    case insecureMapping = "insecure-mapping"
    /// `Found non-UXN mapping at address`: user mode may execute it.
    case userExecutable = "non-uxn-mapping"
    /// An error that memory, a device or the processor reported; no table forbade the access.
    case externalAbort = "external-abort"
    /// `CPA detected W^X violation`.
    case writeExecute = "write-execute-violation"
    /// `CPA conflict`: the kernel refused a change that the caller wanted.
    case conflict = "cpa-conflict"
    /// `CPA protect`: the kernel kept a range read-only or executable, as every boot does.
    case protected = "cpa-protect"
    /// `CPA: called for zero pte`.
    case zeroEntry = "cpa-zero-entry"

    /// Whether it names a mapping rather than an access that went wrong.
    package var isOfMapping: Bool {
      switch self {
      case .insecureMapping, .userExecutable, .writeExecute, .protected, .conflict, .zeroEntry: true
      case .pageFault, .externalAbort, .generalProtection, .corruptedTable, .badEntry, .badPageMap,
        .badPageState,
        .badCounter:
        false
      }
    }

    /// Whether the processor raised it: an access by an address, with an error code.
    var isAccess: Bool { self == .pageFault || self == .corruptedTable }
  }

  package enum Access: String, Sendable, Codable {
    case read, write
    case fetch = "instruction-fetch"
  }

  /// An entry that the report prints: the name in small letters (`pgd`, `pdpt`, `pde`).
  package struct Entry: Sendable, Equatable, Codable {
    package let name: String
    package let value: UInt64

    package init(_ name: String, _ value: UInt64) {
      self.name = name
      self.value = value
    }
  }

  /// Bits of a page fault's error code.
  ///
  /// Source: `enum x86_pf_error_code`, arch/x86/include/asm/trap_pf.h, 6.12.
  package enum ErrorBit {
    static let present: UInt64 = 1
    static let write: UInt64 = 2
    static let user: UInt64 = 4
    static let reserved: UInt64 = 8
    static let fetch: UInt64 = 16
    static let protectionKey: UInt64 = 32
    static let shadowStack: UInt64 = 64
    static let sgx: UInt64 = 1 << 15
    static let rmp: UInt64 = 1 << 31
  }

  package let kind: Kind
  /// Nil where the log names a symbol, or where what it prints is damaged.
  package var address: UInt64?
  /// The last byte of a range.
  package var last: UInt64?
  /// The symbol that stands for the address, as logged.
  package var symbol: String?
  package var errorCode: UInt64?
  /// What the `#PF` line says of the access.
  package var saidAccess: Access?
  package var saidUser: Bool?
  package var entries: [Entry] = []
  /// Whether an entry is printed with 16 digits and more than 32 bits can be.
  var hasWideEntries = false
  /// `kernel tried to execute NX-protected page`, `unable to execute userspace code`.
  package var hint: String?
  /// Where the instruction pointer was, as logged.
  package var instruction: String?
  /// The thread that ran, as logged; that of a process' first thread is the process' number.
  package var pid: Int?
  /// The release that the report itself names.
  package var release: String?
  /// Whether the Oops line says PTI or NOPTI.
  var pti: Bool?
  /// What an arm64 report says of the access, and the format of its tables.
  package var syndrome: Arm64Syndrome?
  var arm64Format: TableFormat?
  var isArm64 = false
  /// Whether its lines are an architecture's that is not read.
  var isOther = false
  /// CR3 and CR4 as the report prints them.
  var rootRegister, modeRegister: UInt64?
  /// The line of the log that begins the report, counted from 1, and its text.
  package let line: Int
  package let quote: String

  /// The address as printed, where it is not all there.
  package var damaged: String?
  /// Whether the address is a hash of a pointer (`%p` since 4.15).
  package var isHashed = false
  /// Whether it is the log of another architecture than the one that its first line looks like.
  var isForeign = false
  /// Whether an Oops line was seen.
  var hasOops = false
  /// Whether every boot of such a kernel prints it.
  package var isExpected = false
  /// Which boot of the log it is of, from 0.
  var boot = 0

  init(_ kind: Kind, line: Int, quote: String) {
    self.kind = kind
    self.line = line
    self.quote = quote
  }

  /// The quote without what is not needed to find the line.
  var shortQuote: String {
    let text = quote.hasPrefix("x86/mm: ") ? quote.dropFirst(8) : quote[...]
    guard kind.isOfMapping, let end = text.place(of: " PFN ")?.lowerBound else {
      return String(text)
    }
    return String(text[..<end])
  }

  package var access: Access? {
    if let syndrome { return syndrome.access }
    guard let errorCode, kind.isAccess else { return saidAccess }
    return errorCode & ErrorBit.fetch != 0
      ? .fetch : errorCode & ErrorBit.write != 0 ? .write : saidAccess ?? .read
  }

  /// Whether the access was made with a user's rights.
  package var isUser: Bool? {
    syndrome?.isUser ?? errorCode.map { $0 & ErrorBit.user != 0 } ?? saidUser
  }

  /// Whether anything but its first line's beginning shows that it is a report.
  var isConfirmed: Bool {
    address != nil || kind == .zeroEntry || symbol != nil || damaged != nil || errorCode != nil
      || !entries.isEmpty
      || isHashed || saidAccess != nil || kind == .badPageState || kind == .badCounter
      || kind == .externalAbort || syndrome != nil
  }
}
