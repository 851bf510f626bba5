import PageTables
import Testing

@Suite struct AreaTests {
  @Test func kindsHaveNamesOfTheirOwn() {
    let own = Area.Kind("vmemmap", .pageArray, .moved)
    #expect(own == .vmemmap && own != .vmalloc)
    #expect(Area.Kind("page array", .pageArray, .moved) != .vmemmap)
    #expect(Area.Kind.named("direct map") == .directMap)
    #expect(Area.Kind.named("linear map") == nil)
    #expect(Set(Area.Kind.known.map(\.name)).count == Area.Kind.known.count)
  }

  /// What fingerprints and diff hold on to.
  @Test func whatBootsHaveInCommon() {
    func names(_ placement: Area.Kind.Placement) -> [String] {
      Area.Kind.known.filter { $0.placement == placement }.map(\.name)
    }
    #expect(
      names(.fixed) == ["guard hole", "LDT remap", "EFI runtime services", "fixmap", "PCI I/O"])
    #expect(names(.moved) == ["direct map", "vmemmap", "kernel image"])
    #expect(names(.random) == ["cpu entry area", "ESPfix"])
  }

  @Test func aLayoutMayHaveKindsOfItsOwn() {
    let linear = Area.Kind("linear map", .directMap, .fixed)
    let layout = Layout(areas: [Area(kind: linear, start: 0x1000, last: 0x1fff)])
    #expect(layout.area(of: 0x1800).name == "linear map")
    #expect(layout.area(of: 0x1800).kind.role == .directMap)
    #expect(layout.area(of: 0x2000).kind == .other)
  }
}
