internal import Glibc
internal import PageTables

/// Why an input cannot be analysed: the file, where in it, what was expected, what to do.
package struct ImageError: Error, Sendable, Equatable, Codable, CustomStringConvertible {
  package let path: String
  package let offset: UInt64?
  package let problem: String
  package let advice: String
  package let cause: Cause

  /// Whether the input is at fault, or what of the machine ran out: then the input may be sound.
  package enum Cause: String, Sendable, Codable { case input, memory, disk, descriptors }

  package init(
    _ path: String, offset: UInt64? = nil, _ problem: String, advice: String,
    cause: Cause = .input
  ) {
    self.cause = cause
    self.path = path
    self.offset = offset
    self.problem = problem
    self.advice = advice
  }

  /// A call of the system that failed.
  ///
  /// - Parameters:
  ///   - code: its `errno`.
  ///   - advice: what to do where nothing ran out.
  package init(_ path: String, failingTo what: String, code: Int32, advice: String) {
    let reason = unsafe String(cString: strerror(code))
    let cause = Cause(code)
    self.init(path, "\(what): \(reason)", advice: cause.advice ?? advice, cause: cause)
  }

  package var description: String {
    let place = offset.map { " at offset \($0.entry)" } ?? ""
    return "\(path)\(place): \(problem); \(advice)"
  }
}

extension ImageError.Cause {
  package init(_ code: Int32) {
    self =
      switch code {
      case ENOMEM: .memory
      case ENOSPC, EDQUOT, EFBIG: .disk
      case EMFILE, ENFILE: .descriptors
      default: .input
      }
  }

  fileprivate var advice: String? {
    switch self {
    case .input: nil
    case .memory:
      "memory or address space ran out, which says nothing of the input: an image is mapped whole, "
        + "so give more memory, or a limit of the address space (ulimit -v) above its size"
    case .disk: "disk space ran out, which says nothing of the input: free some, or set TMPDIR"
    case .descriptors: "descriptors ran out, which says nothing of the input: raise ulimit -n"
    }
  }
}
