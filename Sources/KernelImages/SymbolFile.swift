package import MemoryImages
internal import CElfutils
internal import Glibc
package import PageTables

/// Symbols that a file beside the image tells: System.map, /proc/kallsyms, or a vmlinux.
package enum SymbolFile {
  /// Reads a file of either kind; the kind is found from the content.
  ///
  /// - Throws: `ImageError` where the file is neither, or holds no symbols.
  package static func read(_ path: String) throws(ImageError) -> Symbols {
    let file = try MappedFile(path: path)
    let list = ELFFormat.matches(file) ? try vmlinux(file) : try text(file)
    return Symbols(list, source: path, buildID: buildID(of: file))
  }

  /// The vmlinux of a build where distributions put it; nil where none is installed.
  package static func installed(buildID: String) -> String? {
    guard buildID.count > 2, buildID.allSatisfy(\.isHexDigit) else { return nil }
    let path = "/usr/lib/debug/.build-id/\(buildID.prefix(2))/\(buildID.dropFirst(2)).debug"
    return unsafe access(path, R_OK) == 0 ? path : nil
  }

  /// The note that names a build, in hexadecimal; nil for a file that has none.
  private static func buildID(of file: MappedFile) -> String? {
    guard ELFFormat.matches(file), elf_version(UInt32(EV_CURRENT)) != UInt32(EV_NONE),
      let elf = unsafe elf_begin(file.descriptor, ELF_C_READ_MMAP, nil)
    else { return nil }
    defer { _ = unsafe elf_end(elf) }
    var bytes: UnsafeRawPointer?
    let count = unsafe dwelf_elf_gnu_build_id(elf, &bytes)
    guard count > 0, count <= 64, let bytes = unsafe bytes else { return nil }
    return unsafe UnsafeRawBufferPointer(start: bytes, count: count)
      .map { UInt64($0).hex(digits: 2) }.joined()
  }

  /// Lines of `ADDRESS TYPE NAME`, as `nm` and /proc/kallsyms write them.
  private static func text(_ file: MappedFile) throws(ImageError) -> SymbolList {
    var list = SymbolList()
    var strangers = 0
    // A file of procfs has no size: it is read to its end.
    let bytes = try file.wholeContent(limit: 256 << 20)
    for line in bytes.split(separator: 10) {
      let parts = line.split(separator: 32, maxSplits: 2)
      guard parts.count == 3, parts[1].count == 1,
        let address = UInt64(hexText: String(decoding: parts[0], as: UTF8.self)),
        parts[0].count == 16 || parts[0].count == 8
      else {
        strangers += 1
        continue
      }
      // What follows a tab names the module.
      list.append(parts[2].prefix { $0 != 9 }, at: address)
    }
    guard list.count > 0, strangers <= list.count / 8 else {
      throw ImageError(
        file.path, offset: 0, "neither a vmlinux nor lines of ADDRESS TYPE NAME",
        advice: "give a System.map, /proc/kallsyms, or the vmlinux of the same build")
    }
    guard list.addresses.contains(where: { $0 != 0 }) else {
      throw ImageError(
        file.path, "all addresses are zero: kptr_restrict hides them",
        advice: "read /proc/kallsyms as root, or set kernel.kptr_restrict=0")
    }
    return list
  }

  private static func vmlinux(_ file: MappedFile) throws(ImageError) -> SymbolList {
    func failure(_ problem: String) -> ImageError {
      ImageError(
        file.path, problem, advice: "give the vmlinux with its symbol table, or a System.map")
    }
    guard elf_version(UInt32(EV_CURRENT)) != UInt32(EV_NONE),
      let elf = unsafe elf_begin(file.descriptor, ELF_C_READ_MMAP, nil)
    else { throw failure("not readable as ELF") }
    defer { _ = unsafe elf_end(elf) }
    var header = GElf_Ehdr()
    guard unsafe gelf_getehdr(elf, &header) != nil, header.e_type == UInt16(ET_EXEC) else {
      throw failure("expected a vmlinux: an ELF program")
    }
    var list = SymbolList()
    var section = unsafe elf_nextscn(elf, nil)
    while let current = unsafe section {
      defer { unsafe section = unsafe elf_nextscn(elf, current) }
      var head = GElf_Shdr()
      guard unsafe gelf_getshdr(current, &head) != nil, head.sh_type == UInt32(SHT_SYMTAB),
        head.sh_entsize > 0, let data = unsafe elf_getdata(current, nil)
      else { continue }
      let count = Int32(clamping: head.sh_size / head.sh_entsize)
      var index: Int32 = 0
      while index < count {
        defer { index += 1 }
        var symbol = GElf_Sym()
        guard unsafe gelf_getsym(data, index, &symbol) != nil, symbol.st_shndx != 0,
          symbol.st_info & 15 < 3,
          let name = unsafe elf_strptr(elf, Int(head.sh_link), Int(symbol.st_name))
        else { continue }
        unsafe list.append(
          UnsafeRawBufferPointer(start: name, count: strlen(name)), at: symbol.st_value)
      }
    }
    guard list.count > 0 else { throw failure("no symbol table in it (stripped?)") }
    return list
  }
}

extension Symbols {
  /// The same symbols where the kernel lies that runs, which KASLR moved by `offset`.
  ///
  /// What lies below the kernel's half (per-CPU offsets, absolute numbers) does not move.
  func moved(by offset: UInt64, in mode: TableFormat) -> Symbols {
    offset == 0
      ? self
      : moved(source: "\(source), moved by KASLR's \(offset.entry)") { address in
        address >= mode.upperHalf ? (address &+ offset) & mode.top : address
      }
  }

  /// The same symbols where the kernel's text starts at `text`.
  ///
  /// - Throws: `ImageError` where KASLR cannot have moved it there, or where `text` is not known.
  package func moved(toText text: UInt64?, in mode: TableFormat, of path: String) throws(ImageError)
    -> Symbols
  {
    guard let text else { throw refusal("nothing tells where the image lies", of: path) }
    guard let own = self["_text"] ?? self["_stext"] else {
      throw refusal("no _text in it", of: path)
    }
    guard (text &- own) & (mode.architecture.imageAlignment - 1) == 0 else {
      throw refusal(
        "_text \(mode.text(own)) cannot have been moved to \(mode.text(text))", of: path)
    }
    return moved(by: text &- own, in: mode)
  }

  /// That the symbols are not those of the kernel of an input.
  func refusal(_ why: String, of path: String) -> ImageError {
    ImageError(
      source, "not the symbols of the kernel in \(path): \(why)",
      advice: "give the System.map or vmlinux of the same build")
  }
}
