package import KernelImages
internal import PageTables

/// Which tables were read.
package enum TableID: Sendable, Hashable, Codable {
  case kernel
  /// The table with which programs run under page-table isolation.
  case user
  /// EFI's runtime services' own.
  case efi
  case process(pid: Int, name: String)
  /// A root that was asked for by its physical address.
  case root(UInt64)

  package static func process(_ process: KernelProcess) -> TableID {
    .process(pid: process.pid, name: process.name)
  }

  /// As reports print it: `kernel`, `pid 1 (init)`, `0x2000`.
  package var name: String {
    switch self {
    case .kernel: "kernel"
    case .user: "user"
    case .efi: "efi"
    case .process(let pid, let name): "pid \(pid) (\(name))"
    case .root(let address): address.entry
    }
  }

  /// The name without what a boot hands out: a process by its name, not by its number.
  package var stableName: String {
    switch self {
    case .process(_, let name): "(\(name))"
    case .root: "root"
    case .kernel, .user, .efi: name
    }
  }

  /// As a configuration names it: a process by its name alone.
  var word: String {
    if case .process(_, let name) = self { name } else { stableName }
  }
}
