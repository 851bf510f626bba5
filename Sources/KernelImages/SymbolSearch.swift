internal import MemoryImages
internal import PageTables

/// The kernel's symbols, out of its own memory and of files beside the image.
struct SymbolSearch {
  let symbols: Symbols?
  /// The kernel's tables: its own, where symbols tell them, instead of a processor's.
  let root: Root
  /// What could not be read of the kernel's own table.
  let problems: [String]

  /// - Parameters:
  ///   - found: the root, and how it was found.
  ///   - isGiven: whether the user named the root.
  ///   - files: symbols that files tell, as they were linked or as they run.
  /// - Throws: `ImageError` where `files` are of another build.
  init(
    _ files: [Symbols], _ found: RootSearch, isGiven: Bool, _ memory: any MemoryImage
  ) throws(ImageError) {
    let info = found.info
    var problems: [String] = []
    let reader = VirtualReader(found.root, memory)
    let kallsyms = Kallsyms.find(info, reader)?.symbols(reader)
    // Where files tell the symbols, nothing that is judged is missing.
    if kallsyms == nil, files.isEmpty, info?.mentions("kallsyms_") == true {
      problems.append("the kernel's own symbol table (kallsyms) could not be read")
    } else if let stext = info?.symbol("_stext"), let own = kallsyms?["_stext"], own != stext {
      problems.append("kallsyms and VMCOREINFO disagree on _stext: one of them is damaged")
    }
    var tables = kallsyms.map { [$0] } ?? []
    for file in files { tables.append(try Self.moved(file, info, found.root, memory)) }
    let symbols = Symbols(merging: tables)
    var root = found.root
    // A processor's own tables have a user half; the kernel's do not.
    if info == nil, !isGiven, let symbols, let top = symbols.topTable(root.mode.architecture),
      let own = root.moved(
        to: top.address, source: "\(top.name) (\(symbols.source))", memory: memory)
    {
      root = own
    }
    self.symbols = symbols
    self.root = root
    self.problems = problems
  }

  /// A file's symbols at the addresses of the kernel that runs.
  ///
  /// - Throws: `ImageError` where the file is of another build.
  private static func moved(
    _ file: Symbols, _ info: VMCoreInfo?, _ root: Root, _ memory: any MemoryImage
  ) throws(ImageError) -> Symbols {
    if let mine = info?["BUILD-ID"], let its = file.buildID, mine != its {
      throw file.refusal("its build ID is \(its), the kernel's \(mine)", of: memory.path)
    }
    let symbols: Symbols
    if let stext = info?.symbol("_stext") {
      guard let own = file["_stext"] else {
        throw file.refusal("no _stext in it", of: memory.path)
      }
      symbols = file.moved(by: stext &- own, in: root.mode)
      if let swapper = info?.topTable(root.mode.architecture),
        let top = symbols.topTable(root.mode.architecture), top.address != swapper
      {
        throw file.refusal(
          "its \(top.name) lies elsewhere than VMCOREINFO's swapper_pg_dir", of: memory.path)
      }
    } else {
      let text = Root.text(mode: root.mode, root: root.address, memory: memory)
      symbols = try file.moved(toText: text?.address, in: root.mode, of: memory.path)
    }
    if let banner = symbols["linux_banner"],
      let bytes = VirtualReader(root, memory).bytes(at: banner, count: 14),
      bytes != Array("Linux version ".utf8)
    {
      throw file.refusal(
        "no \"Linux version\" where linux_banner should be", of: memory.path)
    }
    return symbols
  }
}

extension Symbols {
  /// The kernel's own top table, by the newest of its names.
  func topTable(_ architecture: any Architecture) -> (name: String, address: UInt64)? {
    architecture.topTableNames.lazy.compactMap { name in
      self[name].map { (name: name, address: $0) }
    }.first
  }
}
