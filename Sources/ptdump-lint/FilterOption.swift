import ArgumentParser
import PageTableLint

/// `--filter`, which several commands take.
struct FilterOption: ParsableArguments {
  @Option(
    name: .customLong("filter"),
    help: ArgumentHelp(
      "Only mappings that match, as \"w & x\" or \"size >= 2M\" (docs/formats.md).",
      valueName: "expression"))
  var expression: String?

  /// The mappings that match; nil for all.
  func mappings() throws(UsageError) -> MappingFilter? {
    try expression.map { text throws(UsageError) in try MappingFilter(text) }
  }

  func validate() throws {
    do { _ = try mappings() } catch { throw ValidationError(error.description) }
  }
}
