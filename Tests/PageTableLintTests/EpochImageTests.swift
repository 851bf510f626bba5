import KernelImages
import KernelText
import PageTableLint
import Support
import Testing

/// Memory images of one kernel of each epoch, declared: healthy, with the defect of 2008, and with
/// the direct map that KASLR moved.
@Suite struct EpochImageTests {
  /// Releases with their direct map as it is linked and, where KASLR moves it, elsewhere.
  static let kernels: [(String, UInt64)] = EpochTests.epochs.flatMap { epoch in
    [(epoch.release, epoch.directMap)] + epoch.moved.prefix(1).map { (epoch.release, $0) }
  }

  private func subject(_ release: String, _ directMap: UInt64, lacksG: Bool) throws -> Subject {
    var kernel = OldKernelImage(release: release, directMap: directMap)
    kernel.lacksG = lacksG
    if KernelVersion(release: release).map({ $0 < KernelVersion(4, 10) }) == true {
      kernel.set("phys_base", 0x100, 0, size: 8)
    } else {
      kernel.lines = ["NUMBER(phys_base)=0"]
    }
    return Subject(image: try kernel.read())
  }

  @Test(arguments: kernels)
  func theHealthyOneIsClean(_ release: String, _ directMap: UInt64) throws {
    let subject = try subject(release, directMap, lacksG: false)
    #expect(subject.facts.directMap?.value == directMap)
    #expect(subject.facts.release?.value == release)
    let found = Linter.run(subject).findings.filter { $0.severity != .note }
    #expect(found.isEmpty, "\(found.map { "\($0.rule.id) \($0.message)" })")
  }

  @Test(arguments: kernels)
  func theDefectOf2008IsFound(_ release: String, _ directMap: UInt64) throws {
    let subject = try subject(release, directMap, lacksG: true)
    let found = Linter.run(subject).findings.filter { $0.severity != .note }
    #expect(found.map(\.rule.id) == ["PT201"], "\(found.map(\.message))")
    #expect(found.first?.message.contains("first GiB of the direct map") == true)
    #expect(found.first?.pages == 262_144)
  }
}
