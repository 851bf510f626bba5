internal import PageTables

/// The tables that `--table` names.
package enum TableChoice: Sendable, Equatable {
  case kernel
  /// The kernel's twin under page-table isolation.
  case user
  case efi
  case process(Int)
  /// The kernel's and every process'.
  case all
  /// The physical address of a top table.
  case address(UInt64)

  package init(_ text: String) throws(UsageError) {
    switch text {
    case "kernel": self = .kernel
    case "user": self = .user
    case "efi": self = .efi
    case "all": self = .all
    default:
      if text.hasPrefix("pid:") {
        guard let pid = Int(text.dropFirst(4)), pid >= 0 else {
          throw UsageError("--table pid:N takes a number, not \(text.dropFirst(4))")
        }
        self = .process(pid)
      } else if let address = UInt64(hexText: text), address & 31 == 0 {
        self = .address(address)
      } else {
        throw UsageError(
          "--table takes kernel, user, efi, pid:N, all, or the physical address of a table")
      }
    }
  }

  /// The root, where the choice is one.
  var root: UInt64? { if case .address(let address) = self { address } else { nil } }

  /// As `--table` takes it.
  var text: String {
    switch self {
    case .kernel: "kernel"
    case .user: "user"
    case .efi: "efi"
    case .process(let pid): "pid:\(pid)"
    case .all: "all"
    case .address(let address): address.entry
    }
  }
}
