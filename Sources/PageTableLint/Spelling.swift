extension Rule {
  /// What to do about a name that no rule has.
  package static func advice(for name: String) -> String {
    let isID = name.lowercased().hasPrefix("pt") && name.last?.isNumber == true
    return name.advice(from: all.map { isID ? $0.id : $0.name })
  }
}

extension String {
  /// The closest of some words, where one is close enough to have been meant.
  func advice(from words: [String]) -> String {
    let near = words.map { (word: $0, distance: lowercased().distance(to: $0.lowercased())) }
      .min { $0.distance < $1.distance }
    if let near, near.distance <= Swift.max(2, count / 3) { return "did you mean \(near.word)?" }
    return words.count > 20 ? "see ptdump-lint rules" : "known: \(words.joined(separator: ", "))"
  }

  /// The number of letters to insert, remove, change or swap with their neighbours.
  private func distance(to other: String) -> Int {
    let (from, to) = (Array(self), Array(other))
    var rows = [Array(0...to.count)]
    for (i, letter) in from.enumerated() {
      var row = [i + 1]
      for (j, wanted) in to.enumerated() {
        var least = Swift.min(
          rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (letter == wanted ? 0 : 1))
        if i > 0, j > 0, letter == to[j - 1], from[i - 1] == wanted {
          least = Swift.min(least, rows[i - 1][j - 1] + 1)
        }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[from.count][to.count]
  }
}

extension BinaryInteger {
  /// `1 page`, `2 pages`, `0 addresses`.
  func counted(_ word: String) -> String {
    "\(self) \(word)" + (self == 1 ? "" : word.hasSuffix("s") ? "es" : "s")
  }
}
