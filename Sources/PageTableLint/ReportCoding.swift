internal import KernelImages
internal import PageTables

/// A report without its image, as bytes: a process that reads a hostile input hands it to another.
extension Linter.Report: Codable {
  private enum CodingKeys: CodingKey {
    case subject, statistics, findings, skippedRules, reasons, rules
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(subject, forKey: .subject)
    try values.encodeIfPresent(statistics, forKey: .statistics)
    try values.encode(findings, forKey: .findings)
    try values.encode(skipped.map(\.rule), forKey: .skippedRules)
    try values.encode(skipped.map(\.reason), forKey: .reasons)
    try values.encode(rules, forKey: .rules)
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    subject = try values.decode(Subject.self, forKey: .subject)
    statistics = try values.decodeIfPresent(Statistics.self, forKey: .statistics)
    findings = try values.decode([Judged].self, forKey: .findings)
    skipped = zip(
      try values.decode([Rule].self, forKey: .skippedRules),
      try values.decode([String].self, forKey: .reasons)
    ).map { (rule: $0, reason: $1) }
    rules = try values.decode([Rule].self, forKey: .rules)
  }
}

/// By its id.
extension Rule: Codable {
  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(id)
  }

  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    let id = try value.decode(String.self)
    guard let rule = Rule.named(id) else {
      throw DecodingError.dataCorruptedError(in: value, debugDescription: "no rule is \(id)")
    }
    self = rule
  }
}

/// Without its mappings.
extension Table: Codable {
  private enum CodingKeys: CodingKey { case id, mode, root }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(id, forKey: .id)
    try values.encode(space.mode, forKey: .mode)
    try values.encodeIfPresent(root, forKey: .root)
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let mode = try values.decode(TableFormat.self, forKey: .mode)
    self.init(
      id: try values.decode(TableID.self, forKey: .id),
      space: AddressSpace(mode: mode, runs: [], hasPhysical: false),
      layout: mode.architecture.unknownLayout(mode),
      root: try values.decodeIfPresent(UInt64.self, forKey: .root))
  }
}

extension MappingFilter: Codable {
  package func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(text)
  }

  package init(from decoder: any Decoder) throws {
    try self.init(try decoder.singleValueContainer().decode(String.self))
  }
}
