import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// Memory that is read by virtual addresses.
@Suite struct VirtualReaderTests {
  /// Below a lost entry of the direct map memory is found by its place, as the kernel computes it.
  @Test func memoryIsFoundByItsPlace() throws {
    let image = try Samples.image("healthy")
    let base = try #require(image.facts.directMap?.value)
    let patched = PatchedImage(image.memory)
    let step = try #require(image.walk(base &+ image.root).steps.first { $0.level == 3 })
    try patched.set(0, at: step.index, of: step.table)
    let reader = VirtualReader(mode: image.mode, root: image.root, memory: patched)
    #expect(reader.bytes(at: base &+ image.root, count: 64) == nil)
    let found = reader.finding(memoryFrom: base)
    let held = try image.memory.read(at: image.root &+ 4064, count: 32)
    #expect(found.bytes(at: base &+ image.root &+ 4064, count: 32) == held)
    // Past the end of memory nothing is, and nothing below the direct map.
    #expect(found.bytes(at: base &+ (1 << 44), count: 8) == nil)
    #expect(found.bytes(at: base &- 4096, count: 8) == nil)
  }
}
