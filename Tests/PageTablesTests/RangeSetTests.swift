import PageTables
import Testing

@Suite struct RangeSetTests {
  @Test func joinsWhatTouches() {
    #expect(
      RangeSet([20...29, 0...9, 5...12, 13...15, 17...18]).ranges == [0...15, 17...18, 20...29])
    #expect(RangeSet([5...UInt64.max, 0...1, 7...8]).ranges == [0...1, 5...UInt64.max])
    #expect(RangeSet().isEmpty)
  }

  @Test func findsAddresses() {
    let set = RangeSet([4...6, 10...UInt64.max])
    for (address, isIn) in [(3, false), (4, true), (6, true), (7, false), (UInt64.max, true)] {
      #expect(set.contains(address) == isIn)
    }
  }

  @Test func findsGaps() {
    let set = RangeSet([4...6, 10...12])
    #expect(set.gaps(in: 0...20) == [0...3, 7...9, 13...20])
    #expect(set.gaps(in: 5...11) == [7...9])
    #expect(set.gaps(in: 4...6) == [])
    #expect(set.gaps(in: 7...8) == [7...8])
    #expect(set.gaps(in: 13...20) == [13...20])
  }

  @Test func findsParts() {
    let set = RangeSet([4...6, 10...12, 20...29])
    #expect(Array(set.parts(in: 0...30)) == set.ranges)
    #expect(Array(set.parts(in: 5...10)) == [5...6, 10...10])
    #expect(Array(set.parts(in: 7...9)) == [])
    #expect(Array(set.parts(in: 30...40)) == [])
  }
}

@Suite struct PrintableTextTests {
  @Test func controlCharactersAreReplaced() {
    #expect("a\u{1b}[m\nb\tc\u{85}\u{fffe}".printable == "a\u{fffd}[m\nb\tc\u{fffd}\u{fffd}")
    #expect("a\u{1b}\nb\u{7f}é".quotable() == "a??b?é")
    #expect(String(repeating: "x", count: 200).quotable() == String(repeating: "x", count: 160))
  }
}
