import KernelImages
import PageTableLint
import Testing

/// What tables are called, in a report and across boots.
@Suite struct TableIDTests {
  @Test(arguments: [
    (TableID.kernel, "kernel", "kernel"), (.user, "user", "user"), (.efi, "efi", "efi"),
    (.process(pid: 12, name: "init"), "pid 12 (init)", "(init)"),
    (.process(pid: 12, name: "a (b)"), "pid 12 (a (b))", "(a (b))"),
    (.root(0x2000), "0x2000", "root"),
  ])
  func names(_ id: TableID, _ name: String, _ stable: String) {
    #expect(id.name == name)
    #expect(id.stableName == stable)
  }

  /// A process keeps its label, as the kernel's list of processes prints it.
  @Test func processesAreNamedAsTheirLabels() {
    let process = KernelProcess(pid: 7, name: "sleep", root: 0x3000)
    #expect(TableID.process(process).name == process.label)
    // One by the name of a table is not taken for it.
    #expect(TableID.process(pid: 1, name: "efi") != .efi)
    #expect(TableID.process(pid: 1, name: "efi").stableName != TableID.efi.stableName)
  }
}
