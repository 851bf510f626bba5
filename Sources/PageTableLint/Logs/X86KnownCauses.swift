internal import KernelText
internal import PageTables

/// What x86's lines about mappings are known to come from.
extension KnownCause {
  static let x86Table: [KnownCause] = [
    KnownCause(
      kind: .insecureMapping, until: KernelVersion(4, 20, 0),
      range: 0xc00a_0000...0xc00f_ffff, isExpected: true,
      sentence:
        "the PCI BIOS area, which a 32-bit kernel keeps writable and executable where it calls the "
        + "PCI BIOS; later kernels, and stable ones from 4.19.86 on, do not warn of it",
      source: "c200dac78fec (x86/mm: Do not warn about PCI BIOS W+X mappings), 4.20 and 4.19.86"),
    KnownCause(
      kind: .insecureMapping, mentions: ["rodata=off", "rodata=n", "rodata=0"], mustBeTold: true,
      sentence:
        "rodata=off on the command line: the kernel leaves its text and its modules' writable",
      source: "init/main.c, 6.12: mark_readonly"),
    KnownCause(
      kind: .insecureMapping, until: KernelVersion(5, 5, 0), mentions: ["ftrace="],
      mustBeTold: true,
      sentence:
        "ftrace= on the command line: its trampolines were executable before they were read-only",
      source:
        "3c0dab44e227 (x86/ftrace: Set trampoline pages as executable), 5.2: still breaks W^X"),
    KnownCause(
      kind: .insecureMapping, until: KernelVersion(4, 6, 0), area: .directMap,
      mentions: ["EFI", "efi"],
      sentence:
        "EFI runtime code and data: until 4.6 the kernel mapped them, writable and executable, in "
        + "tables that the direct map shares",
      source: "67a9108ed431 (x86/efi: Build our own page table structures), 4.6"),
    KnownCause(
      kind: .insecureMapping, until: KernelVersion(4, 17, 0), area: .directMap,
      mentions: ["Xen"],
      sentence:
        "a false alarm of a Xen PV guest: the kernel looked at the leaf alone, and the levels above "
        + "forbid execution or writing; since 4.17 it looks at all levels",
      source: "672c0ae09b33 (x86/mm: Consider effective protection attributes in W+X check), 4.17"),
    KnownCause(
      kind: .insecureMapping, until: KernelVersion(4, 11, 0), area: .vmalloc,
      mentions: ["Hyper-V"],
      sentence:
        "Hyper-V's hypercall page, which drivers/hv allocated writable and executable; fixed in 4.11 "
        + "and in stable kernels of March 2017",
      source: "drivers: hv: Turn off write permission on the hypercall page"),
    KnownCause(
      kind: .insecureMapping, since: KernelVersion(6, 15, 0), until: KernelVersion(6, 17, 0),
      area: .modules,
      sentence:
        "thunks of the ITS mitigation, which lie in the modules' area and which these kernels may "
        + "leave writable; indirect_target_selection=off shows whether it is they",
      source: "a82b26451de1 (x86/its: explicitly manage permissions for ITS pages), 6.16"),
    KnownCause(
      kind: .writeExecute, since: KernelVersion(6, 1, 0), until: KernelVersion(6, 10, 0),
      mentions: ["Xen"],
      sentence:
        "a false alarm of a Xen PV guest: the kernel looked at the leaf alone, and the levels above "
        + "forbid execution or writing; fixed in 6.10 and in stable kernels of May 2024",
      source: "5bc8b0f5dac0 (x86/pat: Fix W^X violation false-positives ... Xen PV guest)"),
    KnownCause(
      kind: .writeExecute, since: KernelVersion(6, 1, 0), until: KernelVersion(6, 2, 0),
      mentions: ["ftrace="], mustBeTold: true,
      sentence:
        "ftrace= on the command line: its trampoline stays writable while the kernel boots, and the "
        + "first candidates of 6.1 warned of it",
      source: "x86/mm: Do not verify W^X at boot up, October 2022"),
    KnownCause(
      kind: .zeroEntry, since: KernelVersion(5, 14, 0), range: 0...0,
      sentence:
        "memfd_secret on a 32-bit kernel with HIGHMEM: it takes pages that the direct map does not "
        + "hold, whose address there is 0",
      source: "mm/secretmem.c (GFP_HIGHUSER), arch/x86/mm/pat/set_memory.c (__set_pages_np), 6.17"),
  ]
}
