/// The rules that `--only` and `--skip` choose.
package enum RuleChoice {
  /// The rules that are left.
  ///
  /// - Parameters:
  ///   - only: lists of ids, names and families (`PT2`); all rules that the configuration leaves on
  ///     where empty.
  ///   - skip: the same.
  /// - Throws: ``UsageError`` where something names no rule, or none is left.
  package static func rules(
    only: [String], skip: [String], _ configuration: Configuration? = nil
  ) throws(UsageError) -> [Rule] {
    let wanted = try named(only)
    let unwanted = try named(skip)
    let chosen = Rule.all.filter { rule in
      (only.isEmpty ? configuration?.turnsOff(rule) != true : wanted.contains(rule.id))
        && !unwanted.contains(rule.id)
    }
    guard !chosen.isEmpty else {
      throw UsageError(
        only.isEmpty && skip.isEmpty
          ? "the configuration turns every rule off" : "--only and --skip leave no rule")
    }
    return chosen
  }

  private static func named(_ lists: [String]) throws(UsageError) -> Set<String> {
    var ids: Set<String> = []
    for name in lists.flatMap({ $0.split { $0 == "," || $0.isWhitespace } }) {
      ids.formUnion(try rules(named: String(name)).map(\.id))
    }
    return ids
  }

  /// One rule by id or name, or a family's.
  private static func rules(named name: String) throws(UsageError) -> [Rule] {
    let upper = name.uppercased()
    if upper.count == 3, upper.hasPrefix("PT") {
      let family = Rule.all.filter { $0.id.hasPrefix(upper) }
      guard !family.isEmpty else { throw UsageError("no rule is of the family \(name)") }
      return family
    }
    return [try rule(named: name)]
  }

  /// The rule of an id or name.
  package static func rule(named name: String) throws(UsageError) -> Rule {
    guard let rule = Rule.named(name) else {
      throw UsageError("no rule is named \(name); \(Rule.advice(for: name))")
    }
    return rule
  }
}
