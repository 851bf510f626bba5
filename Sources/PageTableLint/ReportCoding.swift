internal import KernelImages
internal import PageTables

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
