package import KernelImages
internal import PageTables

/// Why a reported fault came about: by the entries that the report prints, and by tables.
package struct FaultJudgement: Sendable, Equatable, Codable {
  /// Why the access faults.
  package enum Cause: String, Sendable, Codable {
    case notPresent = "not-present"
    case readOnly = "read-only"
    case noExecute = "no-execute"
    case reservedBits = "reserved-bits"
    /// A user's access of a supervisor page.
    case supervisorPage = "supervisor-page"
    /// The kernel's access of a user page: SMEP, SMAP.
    case userPage = "user-page"
    case notCanonical = "not-canonical"
    /// The entries allow the access.
    case allowed
    case unknown
  }

  package enum Agreement: String, Sendable, Codable { case agrees, contradicts, unknown }
  /// Whether the entries that the report prints are those of the tables, but for A and D.
  package enum Entries: String, Sendable, Codable { case same, different, unknown }
  /// By what the cause was found.
  package enum Source: String, Sendable, Codable {
    /// The report's own entries, or its error code alone.
    case report
    case tables
  }

  package let fault: Fault
  /// The address, where the log names a symbol that is known.
  package var address: UInt64?
  package var cause = Cause.unknown
  /// The level that is to blame, the highest of several.
  package var level: String?
  /// Whether the report's own entries decide, rather than its error code alone.
  var isDecidedByEntries = false
  /// Nil where nothing tells the cause.
  package var judgedBy: Source?
  /// The same by the tables; nil where none were given.
  package var tablesCause: Cause?
  package var tablesLevel: String?
  /// Whether the error code fits the entries that the cause was found by.
  package var agreement = Agreement.unknown
  package var entries = Entries.unknown
  package var explanation = ""
  /// Whose tables it was judged by; nil for the chosen root's.
  package var process: KernelProcess?
  package var area: String?
  /// What lies there in the kernel image.
  package var symbol: String?
  /// Whose the last table on the way is, where it lies in the kernel image.
  package var tableOwner: String?

  /// Whether healthy boots of such a kernel print it.
  package var isExpected: Bool

  init(_ fault: Fault) {
    self.fault = fault
    isExpected = fault.isExpected
    address = fault.address
  }

  /// How grave the report is; nil for what a healthy boot prints.
  package var severity: Severity? {
    if isExpected { return .note }
    return switch fault.kind {
    case .pageFault, .externalAbort, .generalProtection, .insecureMapping, .userExecutable,
      .writeExecute, .conflict, .zeroEntry:
      .warning
    case .corruptedTable, .badEntry, .badPageMap, .badPageState, .badCounter: .error
    case .protected: nil
    }
  }

}
