package import MemoryImages
internal import CElfutils
internal import CLibbpf
internal import Glibc
internal import PageTables
internal import Synchronization

/// Where the fields of the kernel's structures lie, in bytes.
package struct KernelTypes: Sendable {
  package let source: String
  private let offsets: [String: UInt64]
  private var sizes: [String: UInt64] = [:]

  /// The fields that processes are found by.
  private static let wanted: [String: Set<String>] = [
    "task_struct": ["tasks", "pid", "comm", "mm"], "mm_struct": ["pgd"],
  ]

  /// Those that vmalloc's areas and modules are found by, of BTF alone.
  ///
  /// No kernel has all: some came with a release, and others went.
  private static let spare: [String: Set<String>] = [
    "vmap_area": ["va_start", "list", "vm"], "vmap_node": ["busy"], "rb_list": ["head"],
    "vm_struct": ["addr", "size", "flags", "pages", "nr_pages", "phys_addr"],
    "module": ["list", "state", "name", "mem", "core_layout"], "module_memory": ["base", "size"],
    "module_layout": ["base", "text_size"],
  ]

  /// How many members are looked at in one structure and the nameless ones inside it.
  ///
  /// `task_struct` has some 300; a damaged structure may hold itself.
  private static let mostMembers = 1 << 16

  /// - Parameter field: `task_struct.mm`, …
  package subscript(field: String) -> UInt64? { offsets[field] }

  /// The bytes of a structure, where BTF tells it.
  func size(of type: String) -> UInt64? { sizes[type] }

  private var isComplete: Bool {
    Self.wanted.allSatisfy { type, fields in fields.allSatisfy { offsets["\(type).\($0)"] != nil } }
  }

  // MARK: - DWARF

  /// The types of a vmlinux; nil where it has none (no DWARF, or stripped).
  ///
  /// - Throws: `ImageError` where the file cannot be opened.
  package static func dwarf(_ path: String) throws(ImageError) -> KernelTypes? {
    let file = try MappedFile(path: path)
    guard let dwarf = unsafe dwarf_begin(file.descriptor, DWARF_C_READ) else { return nil }
    defer { _ = unsafe dwarf_end(dwarf) }
    var found: [String: UInt64] = [:]
    var types = KernelTypes(source: "the DWARF of \(path)", offsets: found)
    var offset: Dwarf_Off = 0
    var next: Dwarf_Off = 0
    var headerSize = 0
    while unsafe dwarf_nextcu(dwarf, offset, &next, &headerSize, nil, nil, nil) == 0 {
      var unit = unsafe Dwarf_Die()
      var die = unsafe Dwarf_Die()
      if unsafe dwarf_offdie(dwarf, offset &+ UInt64(headerSize), &unit) != nil,
        unsafe dwarf_child(&unit, &die) == 0
      {
        var left = mostMembers
        repeat {
          guard unsafe dwarf_tag(&die) == Int32(DW_TAG_structure_type),
            unsafe dwarf_hasattr(&die, UInt32(DW_AT_declaration)) == 0,
            let name = unsafe dwarf_diename(&die).map({ unsafe String(cString: $0) }),
            let fields = wanted[name], found["\(name).\(fields.first ?? "")"] == nil
          else { continue }
          unsafe members(&die, of: name, fields, at: 0, depth: 0, &found, &left)
        } while unsafe advance(&die)
      }
      types = KernelTypes(source: types.source, offsets: found)
      if types.isComplete { return types }
      offset = next
    }
    return nil
  }

  /// Takes the fields of a structure, and of the nameless ones inside it.
  private static func members(
    _ type: UnsafeMutablePointer<Dwarf_Die>, of name: String, _ fields: Set<String>,
    at base: UInt64, depth: Int, _ found: inout [String: UInt64], _ left: inout Int
  ) {
    var member = unsafe Dwarf_Die()
    guard depth < 8, unsafe dwarf_child(type, &member) == 0 else { return }
    repeat {
      left -= 1
      guard left > 0 else { return }
      guard unsafe dwarf_tag(&member) == Int32(DW_TAG_member) else { continue }
      var attribute = unsafe Dwarf_Attribute()
      var place: Dwarf_Word = 0
      if unsafe dwarf_attr(&member, UInt32(DW_AT_data_member_location), &attribute) != nil {
        _ = unsafe dwarf_formudata(&attribute, &place)
      }
      if let field = unsafe dwarf_diename(&member).map({ unsafe String(cString: $0) }) {
        if fields.contains(field) { found["\(name).\(field)"] = base &+ place }
      } else {
        var inner = unsafe Dwarf_Die()
        if unsafe dwarf_attr(&member, UInt32(DW_AT_type), &attribute) != nil,
          unsafe dwarf_formref_die(&attribute, &inner) != nil
        {
          unsafe members(
            &inner, of: name, fields, at: base &+ place, depth: depth + 1, &found, &left)
        }
      }
    } while unsafe advance(&member)
  }

  /// Goes on to the next entry beside this one; false where there is none.
  private static func advance(_ die: inout Dwarf_Die) -> Bool {
    var here = unsafe die
    return unsafe dwarf_siblingof(&here, &die) == 0
  }

  // MARK: - BTF

  /// Keeps the types of an image, which takes long to read, from when they are first asked for.
  final class Kept: Sendable {
    private let types = Mutex<KernelTypes??>(nil)

    func types(_ read: () -> KernelTypes?) -> KernelTypes? {
      types.withLock { kept in
        if let kept { return kept }
        let own = read()
        kept = .some(own)
        return own
      }
    }
  }

  /// The types that the kernel carries in its own memory.
  static func btf(_ symbols: Symbols?, _ reader: VirtualReader) -> KernelTypes? {
    guard let start = symbols?["__start_BTF"], let stop = symbols?["__stop_BTF"], stop > start,
      stop - start < 64 << 20, let bytes = reader.bytes(at: start, count: Int(stop - start))
    else { return nil }
    return btf(bytes, source: "the image's BTF")
  }

  package static func btf(_ bytes: [UInt8], source: String) -> KernelTypes? {
    let loaded = unsafe bytes.withUnsafeBytes {
      unsafe btf__new($0.baseAddress, UInt32(clamping: $0.count))
    }
    guard let btf = unsafe loaded else { return nil }
    defer { unsafe btf__free(btf) }
    var found: [String: UInt64] = [:]
    var sizes: [String: UInt64] = [:]
    for (name, fields) in wanted.merging(spare, uniquingKeysWith: { $0.union($1) }) {
      let id = unsafe btf__find_by_name_kind(btf, name, UInt32(BTF_KIND_STRUCT))
      guard id > 0 else { continue }
      var left = mostMembers
      unsafe members(btf, UInt32(id), of: name, fields, at: 0, depth: 0, &found, &left)
      sizes[name] = UInt64(max(0, unsafe btf__resolve_size(btf, UInt32(id))))
    }
    let types = KernelTypes(source: source, offsets: found, sizes: sizes)
    return types.isComplete ? types : nil
  }

  private static func members(
    _ btf: OpaquePointer, _ id: UInt32, of name: String, _ fields: Set<String>, at base: UInt64,
    depth: Int, _ found: inout [String: UInt64], _ left: inout Int
  ) {
    guard depth < 8, let type = unsafe btf__type_by_id(btf, id) else { return }
    // Modifiers lead on to the type itself.
    let kind = Int32(unsafe btf_kind(type))
    guard kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION, let list = unsafe btf_members(type)
    else { return }
    for index in 0..<UInt32(unsafe btf_vlen(type)) {
      left -= 1
      guard left > 0 else { return }
      let member = unsafe list[Int(index)]
      let place = base + UInt64(unsafe btf_member_bit_offset(type, index)) / 8
      let field = unsafe btf__name_by_offset(btf, member.name_off).map {
        unsafe String(cString: $0)
      }
      if let field, !field.isEmpty {
        if fields.contains(field) { found["\(name).\(field)"] = place }
      } else {
        unsafe members(
          btf, member.type, of: name, fields, at: place, depth: depth + 1, &found, &left)
      }
    }
  }
}
