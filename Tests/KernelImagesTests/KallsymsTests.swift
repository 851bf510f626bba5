import KernelImages
import PageTables
import Support
import Testing

/// The kernel's symbols, by its note and by the shape of its tables.
@Suite struct KallsymsTests {
  /// What a search by content finds is what the kernel's own note says.
  @Test(arguments: [
    "healthy", "healthy-5level", "configurations/old-61", "configurations/pae",
    "configurations/old-61-two-level", "stock/7.3-cloud",
  ])
  func contentAgreesWithTheNote(_ sample: String) throws {
    let image = try Samples.image(sample)
    let reader = VirtualReader(mode: image.mode, root: image.root, memory: image.memory)
    let info = try #require(image.info)
    let told = try #require(Kallsyms.find(info, reader))
    let found = try #require(KallsymsSearch.tables(info, reader))
    #expect(found.count == told.count)
    #expect(found.countPlace == told.countPlace)
    #expect(found.names == told.names)
    #expect(found.tokens == told.tokens)
    #expect(found.tokenIndex == told.tokenIndex)
    #expect(found.offsets == told.offsets)
    #expect(found.base == told.base)
  }

  /// Stock kernels whose note names no symbol tables (5.10), and whose offsets have no base (7.3).
  @Test(arguments: [
    ("stock/5.10-cloud", 97_254, "5.10.0-46-cloud-amd64"),
    ("stock/7.3-cloud", 197_553, "7.3.4+deb13-cloud-amd64"),
  ])
  func symbolsOfEachEpoch(_ sample: String, _ count: Int, _ release: String) throws {
    let image = try Samples.image(sample)
    let symbols = try #require(image.symbols)
    #expect(symbols.count == count)
    #expect(image.info?["OSRELEASE"] == release)
    #expect(image.problems.isEmpty)
    // Places that other sources tell.
    #expect(
      symbols["_stext"] == image.info?.symbol("_stext") || image.info?.symbol("_stext") == nil)
    #expect(symbols["init_uts_ns"] == image.info?.symbol("init_uts_ns"))
    let top = try #require(symbols["init_top_pgt"])
    #expect(image.walk(top).physical == image.root)
  }
}
