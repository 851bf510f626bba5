import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// What must be the same in each boot, and what must not.
@Suite struct FingerprintTests {
  /// A boot of one kernel: where its areas lie, and what is wrong in them.
  private struct Boot {
    var directMap: UInt64 = 0xffff_8880_0000_0000
    var vmalloc: UInt64 = 0xffff_c900_0000_0000
    var vmemmap: UInt64 = 0xffff_ea00_0000_0000
    var image: UInt64 = 0xffff_ffff_8100_0000
    /// The distances of the defects from their area's start, the sizes and the flags.
    var executable: (at: UInt64, size: UInt64, flags: String) = (0x20_1000, 0x1000, "RW GLB x")
    var module: (at: UInt64, size: UInt64, flags: String) = (0x9000, 0x3000, "RW GLB x")
    var text: (at: UInt64, size: UInt64, flags: String) = (0x40_0000, 0x20_0000, "RW PSE GLB x")

    func findings() throws -> [Judged] {
      let leaves: [(start: UInt64, size: UInt64, flags: String, level: String)] = [
        (directMap, 0x20_0000, "RW PSE GLB NX", "pmd"),
        (directMap + executable.at, executable.size, executable.flags, "pte"),
        (directMap + 0x40_0000, 0x40_0000, "RW PSE GLB NX", "pmd"),
        (vmalloc + module.at, module.size, module.flags, "pte"),
        (vmemmap, 0x20_0000, "RW PSE GLB NX", "pmd"),
        (image, 0x20_0000, "ro PSE GLB x", "pmd"),
        (image + 0x20_0000, 0x20_0000, "ro PSE GLB NX", "pmd"),
        (image + text.at, text.size, text.flags, "pmd"),
      ]
      let markers = [
        (vmalloc, "vmalloc() Area"), (vmemmap, "Vmemmap"),
        (0xffff_ffff_8000_0000, "High Kernel Mapping"),
      ]
      var lines = ["---[ User Space ]---"]
      var at: UInt64 = 0
      func hole(to end: UInt64) {
        guard at != end else { return }
        lines.append("\(at.address)-\(end.address) \((end &- at).size) pgd")
        at = end
      }
      hole(to: 0xffff_8000_0000_0000)
      lines.append("---[ Kernel Space ]---")
      let starts = leaves.map(\.start) + markers.map(\.0)
      for start in Set(starts).sorted() {
        hole(to: start)
        lines += markers.filter { $0.0 == start }.map { "---[ \($0.1) ]---" }
        for leaf in leaves where leaf.start == start {
          at = leaf.start + leaf.size
          lines.append(
            "\(start.address)-\(at.address) \(leaf.size.size) \(leaf.flags) \(leaf.level)")
        }
      }
      hole(to: 0)
      let subject = try Fixtures.subject(dump: lines.joined(separator: "\n") + "\n")
      #expect(subject.isComplete)
      return Linter.run(subject).findings.filter { $0.severity == .error }
    }
  }

  private func fingerprints(_ findings: [Judged]) -> Set<String> {
    Set(findings.map { "\($0.rule.id) \($0.fingerprint)" })
  }

  @Test func anotherBootHasTheSame() throws {
    let first = try Boot().findings()
    var boot = Boot(
      directMap: 0xffff_9247_0000_0000, vmalloc: 0xffff_b0c3_8000_0000,
      vmemmap: 0xffff_e5f8_4000_0000, image: 0xffff_ffff_9ae0_0000)
    // vmalloc gives out what is free.
    boot.module.at = 0x11_2000
    let second = try boot.findings()
    #expect(first.map(\.rule.id).sorted() == ["PT001", "PT001", "PT004"])
    #expect(Set(first.map(\.start)).isDisjoint(with: second.map(\.start)))
    #expect(fingerprints(first).count == 3)
    #expect(fingerprints(first) == fingerprints(second))
  }

  @Test func anotherDefectHasAnother() throws {
    let first = fingerprints(try Boot().findings())
    let changes: [(inout Boot) -> Void] = [
      { $0.executable.at += 0x1000 }, { $0.executable.size += 0x1000 },
      { $0.executable.flags = "RW x" }, { $0.module.size += 0x1000 },
      { $0.module.flags = "RW PCD GLB x" }, { $0.text.at += 0x20_0000 },
    ]
    for (index, change) in changes.enumerated() {
      var boot = Boot()
      change(&boot)
      let changed = fingerprints(try boot.findings())
      #expect(changed.count == 3)
      #expect(first.subtracting(changed).count == 1, "change \(index)")
      #expect(changed.subtracting(first).count == 1, "change \(index)")
    }
  }

  /// The image tells its symbols, the text does not; both see the same errors.
  @Test(arguments: ["cpa-2008", "writable-executable"])
  func textAndImageHaveTheSame(_ sample: String) throws {
    func errors(_ subject: Subject) -> Set<String> {
      fingerprints(Linter.run(subject).findings.filter { $0.severity == .error })
    }
    let image = errors(Subject(image: try Samples.image(sample)))
    #expect(!image.isEmpty)
    #expect(image == errors(try Fixtures.subject(dump: Samples.text(sample, "kernel.txt"))))
  }

  @Test(arguments: ["PT102", "PT107"]) func aProcessGoesByItsName(_ rule: String) throws {
    let text = try Fixtures.text(rule, "fires.tables")
    func found(_ text: String) throws -> [Judged] {
      Linter.run(try Fixtures.subject(tables: DeclaredTables(text))).findings.filter {
        $0.rule.id == rule
      }
    }
    let own = try found(text)
    let later = try found(text.replacing("process 1 init", with: "process 4711 init"))
    let other = try found(text.replacing("process 1 init", with: "process 1 other"))
    #expect(own.contains { $0.table == .process(pid: 1, name: "init") })
    #expect(later.contains { $0.table == .process(pid: 4711, name: "init") })
    #expect(fingerprints(own) == fingerprints(later))
    #expect(fingerprints(own) != fingerprints(other))
  }

  private func causes(_ findings: [Judged]) -> Set<String> {
    Set(findings.map { "\($0.rule.id) \($0.causeKey)" })
  }

  /// Where it lies and how far it goes is another defect, and the same cause.
  @Test func thePlaceIsNoCause() throws {
    let first = try Boot().findings()
    let moves: [(inout Boot) -> Void] = [
      { $0.executable.at += 0x1000 }, { $0.executable.size += 0x1000 },
      { $0.module.size += 0x1000 }, { $0.text.at += 0x20_0000 }, { $0.image += 0x1200_0000 },
    ]
    for move in moves {
      var boot = Boot()
      move(&boot)
      #expect(causes(try boot.findings()) == causes(first))
    }
    let kinds: [(inout Boot) -> Void] = [
      { $0.executable.flags = "RW x" }, { $0.module.flags = "RW PCD GLB x" },
    ]
    for change in kinds {
      var boot = Boot()
      change(&boot)
      #expect(causes(first).subtracting(causes(try boot.findings())).count == 1)
    }
    #expect(first.allSatisfy { $0.causeKey.count == 16 && $0.causeKey != $0.fingerprint })
  }

  /// Every process of a fleet may have the defect.
  @Test func aProcessNameIsNoCause() throws {
    let text = try Fixtures.text("PT102", "fires.tables")
    func found(_ text: String) throws -> [Judged] {
      Linter.run(try Fixtures.subject(tables: DeclaredTables(text))).findings.filter {
        $0.rule.id == "PT102"
      }
    }
    let own = try found(text)
    let other = try found(text.replacing("process 1 init", with: "process 7 other"))
    #expect(fingerprints(own) != fingerprints(other))
    #expect(causes(own) == causes(other))
  }

  @Test func severityAndUseDoNotCount() throws {
    let text = try Fixtures.text("PT005", "fires.tables")
    func found(_ text: String) throws -> [Judged] {
      Linter.run(try Fixtures.subject(tables: DeclaredTables(text))).findings.filter {
        $0.rule.id == "PT005"
      }
    }
    let own = try found(text)
    // Page 2 without A.
    let unused = try found(text.replacing("2: 0x12161", with: "2: 0x12141"))
    #expect(own.count == 1 && own[0].fingerprint.count == 16)
    #expect(own[0].entry != unused[0].entry)
    #expect(fingerprints(own) == fingerprints(unused))
  }
}
