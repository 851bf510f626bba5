internal import PageTables

/// The code of a loaded module.
package struct ModuleText: Sendable, Equatable {
  package let name: String
  /// Whole pages.
  package let range: ClosedRange<UInt64>
}

extension KernelImage {
  /// The code of all modules that are loaded, in the order of addresses; nil where the image does
  /// not tell it.
  ///
  /// Source: `struct module`, include/linux/module.h: `core_layout` up to 6.3, `mem` since 6.4.
  package func moduleTexts() -> [ModuleText]? {
    if let extract { return extract.moduleTexts }
    let reader = VirtualReader(mode: mode, root: root, memory: memory)
    guard let symbols, let head = symbols["modules"],
      let types, let place = Place(types),
      let modules = KernelList(reader: reader).objects(head: head, offset: place.list)
    else { return nil }
    return modules.compactMap { place.text(of: $0, reader) }.sorted {
      $0.range.lowerBound < $1.range.lowerBound
    }
  }
}

/// Where a module has what tells its code.
private struct Place {
  /// MODULE_STATE_LIVE: code that is being loaded or freed is not as it will be.
  private static let live: UInt64 = 0

  let list: UInt64
  private let state: UInt64
  private let name: UInt64
  private let base: UInt64
  private let size: UInt64

  init?(_ types: KernelTypes) {
    guard let list = types["module.list"], let state = types["module.state"],
      let name = types["module.name"]
    else { return nil }
    if let memory = types["module.mem"], let base = types["module_memory.base"],
      let size = types["module_memory.size"]
    {
      // The first of the array is MOD_TEXT.
      (self.base, self.size) = (memory &+ base, memory &+ size)
    } else if let layout = types["module.core_layout"], let base = types["module_layout.base"],
      let size = types["module_layout.text_size"]
    {
      (self.base, self.size) = (layout &+ base, layout &+ size)
    } else {
      return nil
    }
    self.list = list
    self.state = state
    self.name = name
  }

  func text(of module: UInt64, _ reader: VirtualReader) -> ModuleText? {
    let page = reader.mode.granule
    guard reader.word(at: module &+ state, size: 4) == Self.live,
      let base = reader.word(at: module &+ base), base & (page - 1) == 0,
      let size = reader.word(at: module &+ size, size: 4), size > 0,
      base >= reader.mode.upperHalf, base <= .max - (size + page),
      let name = reader.bytes(at: module &+ name, count: 56)
    else { return nil }
    return ModuleText(
      name: String(decoding: name.prefix { $0 != 0 }, as: UTF8.self).quotable(most: 56),
      range: base...((base &+ (size &- 1)) | (page - 1)))
  }
}
