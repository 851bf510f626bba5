import KernelImages
import MemoryImages
import Support
import Testing

/// What an image tells of its machine's memory, against the kernel's own files.
@Suite struct ResourceTests {
  @Test(arguments: Samples.all)
  func isThatOfIomem(_ sample: String) throws {
    let own = try #require(Resource.parse(Samples.text(sample, "iomem.txt")))
    #expect(try Samples.image(sample).resources?.value == own)
  }

  @Test func refusesOtherText() {
    #expect(Resource.parse("00001000-0009fbff : System RAM\nword\n") == nil)
    #expect(Resource.parse("00002000-00001fff : System RAM\n") == nil)
    #expect(Resource.parse("00000000-00000000 : System RAM\n") == nil)
    let nested = Resource.parse(
      "00100000-0ffdffff : System RAM\n  02800000-02dfffff : Kernel code\n")
    #expect(nested?.map(\.depth) == [0, 1])
    #expect(nested?.map(\.isRAM) == [true, false])
  }
}
