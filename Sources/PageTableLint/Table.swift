internal import KernelImages
internal import MemoryImages
package import PageTables

/// One root's tables, read.
package struct Table: Sendable {
  package let id: TableID
  package internal(set) var space: AddressSpace
  package let layout: Layout
  /// The physical address of the root, where there is an image.
  package let root: UInt64?
  /// Where a process's kernel half is not the kernel's.
  var kernelHalf: [KernelHalfDifference] = []
  /// Told of each look, while rules judge.
  var looks: Looks?

  package var name: String { id.name }
  /// The name without what a boot hands out.
  var stableName: String { id.stableName }

  /// Whether all of it was seen.
  var isComplete: Bool {
    // Of those that were only counted, nobody knows what they hide.
    space.anomaliesLeftOut == 0 && !space.anomalies.contains(where: \.isUnseen)
  }
}

extension Table {
  /// Reads the user half of a process, and in what its kernel half differs.
  ///
  /// Where the machine runs on, tables that are freed meanwhile look wrong: twice more, then.
  init(of process: KernelProcess, in image: KernelImage, _ layout: Layout) {
    var looks = 0
    repeat {
      self.init(
        id: .process(process), space: image.space(root: process.root, userHalfOnly: true),
        layout: layout, root: process.root)
      looks += 1
    } while image.memory.isRunning && !space.anomalies.isEmpty && looks < 3
    kernelHalf = image.kernelHalfDifferences(of: process.root)
  }
}
