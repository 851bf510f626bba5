import PageTableLint
import PageTables
import Testing

@Test func kernelTextIsReadOnlyAndExecutable() throws {
  let tables = try KernelTables(path: image)
  let text = try #require(tables.address(of: "_stext"))
  guard case .mapped(let mapping) = tables.lookup(text) else {
    Issue.record("nothing is mapped at _stext")
    return
  }
  #expect(mapping.isExecutable && !mapping.isWritable)
  #expect(mapping.flags.contains("GLB"))
}

@Test func kernelIsClean() throws {
  try KernelTables(path: image).assertClean()
}

private let samples: String =
  #filePath.split(separator: "/samples/", maxSplits: 1)[0] + "/samples/"
private let image = samples + "healthy/memory.elf"

@Test func nothingIsWritableAndExecutable() throws {
  let tables = try KernelTables(path: image)
  #expect(!tables.mappings.isEmpty)
  #expect(tables.mappings.allSatisfy { !($0.isWritable && $0.isExecutable) })
}

@Test func dumpIsClean() throws {
  try KernelTables(path: samples + "healthy/kernel.txt", log: nil).assertClean()
}

@Test func defectIsFound() throws {
  let tables = try KernelTables(path: samples + "real-failure/memory.elf")
  #expect(throws: KernelTables.Failure.self) { try tables.assertClean() }
  #expect(try tables.issues(rules: ["PT301"]).count == 1)
}

@Test func unreadableInputIsRefused() {
  #expect(throws: KernelTables.Failure.self) { try KernelTables(path: #filePath) }
}
