extension Array {
  /// The index of the first element that `isBehind`; `count` where there is none.
  ///
  /// All elements that are must lie behind all that are not.
  package func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = low + (high - low) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
