extension TableFormat {
  /// The architecture that reads such tables, with which the format's name begins: `x86-64`.
  package var architecture: String { String(name.prefix { $0 != " " }) }
}
