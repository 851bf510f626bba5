/// By its name, and by what a kernel decides of it.
///
/// What a processor reserves for lack of address bits (`limited(toPhysicalBits:)`) is not kept.
extension TableFormat: Codable {
  private enum CodingKeys: CodingKey { case name, upperHalf, encryption }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(upperHalf, forKey: .upperHalf)
    try values.encode(encryption, forKey: .encryption)
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let name = try values.decode(String.self, forKey: .name)
    guard let known = Self.named.lazy.map({ $0.mode() }).first(where: { $0.name == name }) else {
      throw DecodingError.dataCorruptedError(
        forKey: .name, in: values, debugDescription: "no paging mode is named \(name)")
    }
    let mask = try values.decode(UInt64.self, forKey: .encryption)
    self = mask == 0 ? known : known.encrypted(by: mask) ?? known
    upperHalf = try values.decode(UInt64.self, forKey: .upperHalf)
  }
}
