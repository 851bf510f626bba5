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
  #expect(mapping.isExecutable && !mapping.isWritable && mapping.isGlobal)
  #expect(mapping.memoryType == .writeBack && mapping.range.contains(text))
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
  #expect(code { try tables.assertClean() } == .findings)
  let found = try tables.issues(rules: ["PT301"])
  #expect(found.count == 1 && found[0].ranges.allSatisfy { $0.size % 4096 == 0 })
}

@Test func unreadableInputIsRefused() {
  #expect(code { _ = try KernelTables(path: #filePath) } == .unreadable)
}

@Test func aWrongNameIsRefused() throws {
  let tables = try KernelTables(path: image)
  #expect(code { _ = try tables.issues(rules: ["PT999"]) } == .usage)
}

/// The running kernel, which root alone can read, and where there is debugfs or /proc/kcore.
private let running = try? KernelTables(paths: [])

@Test(.enabled(if: running != nil)) func runningKernelHasNoWritableText() throws {
  let tables = try #require(running)
  #expect(try tables.issues(rules: ["PT008"]).isEmpty)
}

private func code(_ body: () throws -> Void) -> KernelTables.Failure.Code? {
  do { try body() } catch let failure as KernelTables.Failure { return failure.code } catch {}
  return nil
}
