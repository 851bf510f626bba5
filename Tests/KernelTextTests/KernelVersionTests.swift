import KernelText
import PageTables
import Testing

@Suite struct KernelVersionTests {
  @Test(arguments: [
    ("6.12.117-amd64", KernelVersion(6, 12, 117)), ("6.12-rc1", KernelVersion(6, 12)),
    ("2.6.26-2-686", KernelVersion(2, 6, 26)), ("6", KernelVersion(6, 0)),
    ("5.4.99999999999999999999", KernelVersion(5, 4)),
  ])
  func readsReleases(_ release: String, _ version: KernelVersion) {
    #expect(KernelVersion(release: release) == version)
  }

  @Test(arguments: ["", "v6.12", "generic", "0.99"])
  func whatIsNoReleaseIsUnknown(_ text: String) { #expect(KernelVersion(release: text) == nil) }

  @Test func comparesByNumbers() {
    #expect(KernelVersion(4, 9) < KernelVersion(4, 19))
    #expect(KernelVersion(4, 19, 300) < KernelVersion(5, 4))
    #expect(!(KernelVersion(2, 6, 27) < KernelVersion(2, 6, 27)))
  }
}

@Suite struct LogStampTests {
  @Test(arguments: [
    (0, "[    0.000000] "), (5_140_900, "[    5.140900] "), (123_456_000_007, "[123456.000007] "),
  ])
  func printsAndReadsBack(_ microseconds: UInt64, _ text: String) throws {
    #expect(LogStamp(microseconds: microseconds).text == text)
    let line = Array("<6>\(text)[T1] x".utf8)
    let found = LogStamp.first(in: line.span, line.indices)
    let read = try #require(found)
    #expect(read.stamp.microseconds == microseconds)
    #expect(String(decoding: line[read.end...], as: UTF8.self) == " [T1] x")
  }

  @Test(arguments: ["no stamp", "[1.5] short", "[99999999999999999.000000] x", "[open 1.000000"])
  func linesWithoutAStamp(_ line: String) {
    let bytes = Array(line.utf8)
    let found = LogStamp.first(in: bytes.span, bytes.indices)
    #expect(found == nil)
  }
}
