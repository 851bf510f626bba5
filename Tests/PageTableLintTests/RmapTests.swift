import Foundation
import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

import PageTableLint

/// From a frame back to the addresses that map it.
@Suite struct RmapTests {
  private func hex(_ value: Any?) throws -> UInt64 {
    try #require((value as? String).flatMap { UInt64(hexText: $0) })
  }

  /// The places of each table that map a frame, from what `rmap` says.
  private func places(_ frame: [String: Any]) throws -> [String: [UInt64]] {
    var found: [String: [UInt64]] = [:]
    for table in try #require(frame["tables"] as? [[String: Any]]) {
      let name = try #require(table["table"] as? String)
      let mappings = try #require(table["mappings"] as? [[String: Any]])
      found[name] = try mappings.map { try hex($0["start"]) }
    }
    return found
  }

  /// Each address that rmap names leads to the frame, and each page that a walk finds is named.
  @Test(arguments: ["cpa-pti", "healthy-5level"])
  func saysWhatTheWalkOfEachPageSays(_ sample: String) throws {
    let path = try Samples.imagePath(sample)
    let image = try Samples.image(sample)
    let subject = Subject(image: image)
    // Each page of each leaf, one address in so many, walked from the root.
    var expected: [UInt64: [String: Set<UInt64>]] = [:]
    var frames: [UInt64] = []
    for table in subject.tables {
      for run in table.space.runs where run.isLeaf && !run.repeats {
        guard frames.count < 60, let physical = run.physical, physical < 1 << 52 else { continue }
        let frame = physical & ~0xfff
        if !frames.contains(frame) { frames.append(frame) }
      }
    }
    for table in subject.tables {
      for run in table.space.runs where run.isLeaf {
        for frame in frames {
          guard let physical = run.physical else { continue }
          let span = image.mode.span(of: run)
          let size = run.repeats ? span : run.size
          guard frame >= physical, frame - physical < size else { continue }
          let address = run.start &+ (frame - physical)
          let walked = try #require(image.walk(address, root: table.root).physical)
          #expect(walked == frame)
          expected[frame, default: [:]][table.name, default: []].insert(
            run.repeats && run.size > span ? run.start : address)
        }
      }
    }
    #expect(frames.count > 20)
    let run = try ProgramRun(
      ["rmap", "--format", "json", path] + frames.map { "0x" + String($0, radix: 16) })
    let reports = try #require(try run.json()["frames"] as? [[String: Any]])
    #expect(reports.count == frames.count)
    for (frame, report) in zip(frames, reports) {
      let page = try #require(report["page"] as? [String: Any])
      #expect(try hex(page["physical"]) == frame)
      let found = try places(report).filter { subject.tables.map(\.name).contains($0.key) }
      #expect(found.mapValues(Set.init) == expected[frame], "\(sample) \(frame.entry)")
    }
  }

  @Test func aTablePageIsNamed() throws {
    let image = try Samples.image("cpa-2008")
    let symbol = try #require(image.symbols?["level2_ident_pgt"])
    let physical = try #require(image.walk(symbol).physical)
    let run = try ProgramRun(["rmap", "samples/cpa-2008/memory.elf", "level2_ident_pgt"])
    #expect(run.output.contains("\(physical.entry)\n"))
    #expect(run.output.contains("kernel image, level2_ident_pgt"))
    #expect(
      run.output.contains("page table: pmd of kernel from 0xffff888000000000, level2_ident_pgt"))
    #expect(run.output.contains("\(image.mode.text(symbol))-"))
  }

  @Test func aFilterLeavesTheRestOut() throws {
    let arguments = ["rmap", "samples/cpa-2008/memory.elf", "_text"]
    let all = try ProgramRun(arguments).output
    let global = try ProgramRun(arguments + ["--filter", "global"]).output
    #expect(all.contains("direct map") && all.contains("kernel image _text"))
    #expect(!global.contains("direct map") && global.contains("kernel image _text"))
  }

  @Test func whatIsNotMappedIsSaid() throws {
    let run = try ProgramRun([
      "rmap", "--table", "kernel", "samples/cpa-2008/memory.elf", "0xffffffffff000",
    ])
    #expect(run.status == 0)
    #expect(run.output == "0xffffffffff000\n  not in the image\n  not mapped in 1 table\n")
  }

  /// Without the kernel's types nobody knows all tables: that is said, with the status for it.
  @Test func tablesThatCannotBeFoundAreSaid() throws {
    let run = try ProgramRun(["rmap", "samples/writable-executable/memory.elf", "_text"])
    #expect(run.status == 3 && run.output.contains("in 1 table"))
    #expect(run.errors.contains("how the kernel's processes are laid out"))
    let json = try ProgramRun(
      ["rmap", "--format", "json", "samples/writable-executable/memory.elf", "_text"]
    ).json()
    let header = try #require(json["header"] as? [String: Any])
    #expect((header["input"] as? [String: Any])?["complete"] as? Bool == false)
  }

  @Test func aProcessIsNamed() throws {
    let image = try Samples.image("healthy")
    let process = try #require(Samples.process(image))
    var subject = Subject(image: image)
    subject.add([process])
    let own = try #require(subject.tables.last?.space.runs.first { $0.isLeaf && !$0.repeats })
    let frame = try #require(own.physical)
    var text = ""
    let report = FrameReport(frame...frame, in: image, of: subject)
    try FrameReport.write([report], of: subject, style: .text) { text += $0 }
    #expect(text.contains("  pid 1 (init)  \(image.mode.text(own.start))-"))
    #expect(text.contains("in 2 tables"))
  }

  @Test(arguments: [
    (["samples/healthy/kernel.txt", "0x1000"], "memory image"),
    (["samples/cpa-2008/kernel.log", "0x1000"], "log"),
    (["samples/cpa-2008/memory.elf", "0xffff888000000000"], "no physical address"),
    (["samples/cpa-2008/memory.elf", "no_such_symbol"], "no symbol no_such_symbol"),
    (["samples/cpa-2008/memory.elf", "0xz"], "is no address"),
    (["samples/cpa-2008/memory.elf"], "frame"),
  ])
  func isRefused(_ arguments: [String], _ reason: String) throws {
    let run = try ProgramRun(["rmap"] + arguments)
    #expect(run.status == 2 && run.output == "")
    #expect(run.errors.contains(reason), "\(run.errors)")
  }
}
