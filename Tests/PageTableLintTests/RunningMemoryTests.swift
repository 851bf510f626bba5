import KernelImages
import MemoryImages
import PageTables
import Support
import Synchronization
import Testing

import PageTableLint

/// A machine that runs on while its tables are read.
struct RunningMemoryTests {
  /// An image's memory, of which a table cannot be read the first few times.
  private final class RunningMemory: WrappedMemory {
    let wrapped: any MemoryImage
    let missing: Mutex<(address: UInt64, times: Int)>

    init(_ held: any MemoryImage, missing address: UInt64 = ~0, times: Int = 0) {
      wrapped = held
      missing = Mutex((address, times))
    }

    var isRunning: Bool { true }

    func read(at address: UInt64, count: Int) throws(UnreadableMemory) -> [UInt8] {
      try wrapped.read(at: address, count: count)
    }

    func readTable(at address: UInt64, into table: inout [UInt64]) throws(UnreadableMemory) {
      let isGone = missing.withLock { missing in
        guard address == missing.address, missing.times > 0 else { return false }
        missing.times -= 1
        return true
      }
      if isGone { throw .outsideMemory }
      try wrapped.readTable(at: address, into: &table)
    }
  }

  private func subject(missing address: UInt64 = ~0, times: Int = 0) throws -> Subject {
    let held = try ImageFile.open(path: Samples.imagePath("healthy"))
    return Subject(
      image: try KernelImage(RunningMemory(held, missing: address, times: times)))
  }

  /// A process whose top table was freed and is another's by now: here, a lower table of the kernel's.
  private func ended(in subject: Subject) throws -> KernelProcess {
    let image = try #require(subject.image)
    let symbol = try #require(image.symbols?["level3_kernel_pgt"])
    let table = try #require(image.walk(symbol).physical)
    return KernelProcess(pid: 4711, name: "gone", root: table)
  }

  @Test func whatEndedMeanwhileIsLeftOut() throws {
    var subject = try subject()
    let image = try #require(subject.image)
    let process = try #require(Samples.process(image))
    subject.add([process, try ended(in: subject)])
    #expect(Linter.run(subject).findings.contains { $0.rule.id == "PT105" })
    subject.keep([process])
    #expect(subject.processes == [process])
    #expect(Linter.run(subject).findings.filter { $0.severity >= .warning }.isEmpty)
  }

  @Test func aProcessWithAnotherTopTableByNowIsAnother() throws {
    var subject = try subject()
    let process = try ended(in: subject)
    subject.add([process])
    subject.keep([KernelProcess(pid: process.pid, name: process.name, root: 0x1000)])
    #expect(subject.processes.isEmpty)
    #expect(subject.tables.map(\.id) == [.kernel])
  }

  @Test(arguments: [(2, true), (3, false)])
  func aTableThatIsFreedMeanwhileIsReadAgain(times: Int, isWhole: Bool) throws {
    let image = try Samples.image("healthy")
    let process = try #require(Samples.process(image))
    let table = try #require(image.walk(0x40_0000, root: process.root).steps.last?.table)
    #expect(table != process.root)
    var subject = try subject(missing: table, times: times)
    subject.add([process])
    let anomalies = try #require(subject.tables.last).space.anomalies
    #expect(anomalies.isEmpty == isWhole, "\(anomalies)")
  }
}
