internal import Foundation
package import KernelImages
package import MemoryImages
internal import PageTables

/// Images in the shapes that QEMU, /proc/vmcore and makedumpfile write, made from an extract.
///
/// They carry no checksum, and facts come out of the kernel's own variables: the page of each holds
/// its value and zeros. The log is left out, and what VMCOREINFO says of it.
package enum RawImage {
  package enum Shape: CaseIterable, Sendable {
    /// `dump-guest-memory`: no virtual addresses.
    case qemu
    /// The kernel's text first, by its own address; memory by its place in the direct map; no
    /// phys_base and no CPU notes.
    case procVmcore
    /// `makedumpfile -E`: segments whose end is left out; offsets that no page aligns.
    case makedumpfile
  }

  /// - Parameter edit: changes the image before it is written.
  package static func make(
    _ image: KernelImage, _ shape: Shape, edit: (inout ELFCore) -> Void = { _ in }
  ) throws -> [UInt8] {
    var core = try core(image, shape)
    edit(&core)
    return core.encoded()
  }

  package static func core(_ image: KernelImage, _ shape: Shape) throws -> ELFCore {
    var pages: [UInt64: [UInt8]] = [:]
    for range in image.memory.ranges {
      for address in stride(from: range.lowerBound, to: range.upperBound, by: 4096) {
        pages[address] = try image.memory.read(at: address, count: 4096)
      }
    }
    for (name, value) in image.values {
      guard let symbols = image.symbols,
        let (address, size) = Variable.place(of: name, symbols, image.mode),
        let physical = image.walk(address).physical
      else { continue }
      var bytes: [UInt8] = []
      bytes.append(value, size: size)
      let at = Int(physical & 4095)
      pages[physical & ~4095, default: [UInt8](repeating: 0, count: 4096)]
        .replaceSubrange(at..<(at + size), with: bytes)
    }
    var core = ELFCore()
    for note in image.memory.notes {
      switch note.name {
      case "VMCOREINFO":
        let lines = String(decoding: note.bytes, as: UTF8.self).split(separator: "\n").filter {
          !$0.contains("prb") && !$0.contains("printk")
            && !(shape == .procVmcore && $0.contains("phys_base"))
        }
        core.notes.append(
          ELFCore.Note(
            name: "VMCOREINFO", bytes: Array((lines.joined(separator: "\n") + "\n").utf8)))
      case "QEMU" where shape != .procVmcore:
        core.notes.append(ELFCore.Note(name: note.name, type: note.type, bytes: note.bytes))
      default: break
      }
    }
    for (address, page) in pages.sorted(by: { $0.key < $1.key }) {
      core.add(page: page, at: address)
    }
    switch shape {
    case .qemu: break
    case .makedumpfile:
      core.notes.append(ELFCore.Note(name: "ERASEINFO", bytes: [1, 2, 3]))
      for index in core.segments.indices.dropLast() {
        core.segments[index].size =
          core.segments[index + 1].physical - core.segments[index].physical
      }
    case .procVmcore:
      let base = image.facts.directMap?.value ?? 0
      core.segments = core.segments.map {
        ELFCore.Segment(physical: $0.physical, virtual: base &+ $0.physical, bytes: $0.bytes)
      }
      if let text = image.symbols?["_text"], let physical = image.walk(text).physical {
        core.segments.insert(
          ELFCore.Segment(
            physical: physical, virtual: text, bytes: [UInt8](repeating: 0, count: 4096)), at: 0)
      }
    }
    return core
  }
}

extension ELFCore {
  /// Takes the kernel's symbol table away: without the names of its digits it is not found by its
  /// content.
  package mutating func hideSymbols() {
    let digits: [UInt8] = "0123456789".utf8.flatMap { [$0, 0] }
    let zeros = [UInt8](repeating: 0, count: digits.count)
    for index in segments.indices {
      while let place = segments[index].bytes.firstRange(of: digits) {
        segments[index].bytes.replaceSubrange(place, with: zeros)
      }
    }
  }
}
