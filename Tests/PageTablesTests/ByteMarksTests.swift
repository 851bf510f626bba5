import Testing

import PageTables

struct ByteMarksTests {
  /// Of each length, with bytes that many texts have, and two that begin alike.
  private static let texts = ["-0x", "nnn", "efi:", "nable to ", "nable of ", " e e e", "Xen"]
  private static let marks = ByteMarks(texts)

  @Test(arguments: texts, 0..<20)
  func eachIsFoundAtEachPlace(text: String, before: Int) {
    for after in 0..<12 {
      let whole =
        String(repeating: ".", count: before) + text
        + String(repeating: ".", count: after)
      let bytes = Array(whole.utf8)
      let place = Self.marks.place(in: bytes.span, from: 0, to: bytes.count)
      #expect(place.map { (before..<(before + text.utf8.count)).contains($0) } == true)
      // One byte less at either end, and it is not there.
      let first = before + 1
      let end = before + text.utf8.count - 1
      #expect(Self.marks.place(in: bytes.span, from: first, to: bytes.count) == nil)
      #expect(Self.marks.place(in: bytes.span, from: 0, to: end) == nil)
    }
  }

  @Test func theFirstIsFound() {
    let bytes = Array("an efi and Xen: nable to x".utf8)
    let place = Self.marks.place(in: bytes.span, from: 0, to: bytes.count)
    #expect(place.map { (11..<14).contains($0) } == true)
    #expect(Self.marks.place(in: bytes.span, from: 14, to: bytes.count).map { $0 >= 16 } == true)
  }

  @Test func emptyTextHasNone() {
    let bytes: [UInt8] = []
    #expect(Self.marks.place(in: bytes.span, from: 0, to: 0) == nil)
  }
}
