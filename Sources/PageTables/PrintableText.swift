extension String {
  /// Without control characters, which a log's quotes may hold and XML forbids; line ends stay.
  package var printable: String {
    String(
      String.UnicodeScalarView(
        unicodeScalars.map { scalar in
          scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
            || scalar.value & 0xfffe == 0xfffe ? "\u{fffd}" : scalar
        }))
  }

  /// One line of at most `most` characters for a quote: a control character becomes `?`.
  package func quotable(most: Int = 160) -> String {
    String(
      unicodeScalars.prefix(most).map {
        $0.value < 32 || (127..<160) ~= $0.value ? "?" : Character($0)
      })
  }
}
