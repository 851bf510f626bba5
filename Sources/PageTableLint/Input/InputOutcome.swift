internal import FoundationEssentials
package import MemoryImages

/// What reading one input came to, as a process of its own hands it over.
package enum InputOutcome: Codable {
  case report(Linter.Report)
  case unreadable(ImageError)
  case wrongUsage(UsageError)

  /// - Parameter reading: judges the input; its report has let the image go.
  /// - Throws: what is neither `ImageError` nor `UsageError`.
  package init(of reading: () throws -> Linter.Report) throws {
    do {
      self = .report(try reading())
    } catch let error as ImageError {
      self = .unreadable(error)
    } catch let error as UsageError {
      self = .wrongUsage(error)
    }
  }

  package init(bytes: [UInt8]) throws {
    self = try JSONDecoder().decode(InputOutcome.self, from: Data(bytes))
  }

  package func bytes() throws -> [UInt8] { Array(try JSONEncoder().encode(self)) }

  /// The report.
  ///
  /// - Parameter configuration: the one that it was judged with, which is not handed over.
  /// - Throws: what kept the input from being judged.
  package func report(_ configuration: Configuration?) throws -> Linter.Report {
    switch self {
    case .report(var report):
      report.subject.configuration = configuration
      return report
    case .unreadable(let error): throw error
    case .wrongUsage(let error): throw error
    }
  }
}
