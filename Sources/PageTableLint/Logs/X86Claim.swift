extension Claim {
  /// x86, 32 and 64 bits, from 2.6 on.
  ///
  /// Source: arch/x86/mm/fault.c, arch/x86/kernel/traps.c, arch/x86/mm/dump_pagetables.c,
  /// arch/x86/mm/pat/set_memory.c, mm/memory.c and mm/pgtable-generic.c, 6.12; arch/i386/mm/fault.c
  /// and arch/x86_64/mm/fault.c, 2.6.0 to 2.6.23.
  static let x86 = Claim(
    headers: [
      Header("nable to handle page fault for address:", .pageFault),
      Header("kernel NULL pointer dereference, address:", .pageFault),
      Header("nable to handle kernel paging request at virtual address", .pageFault),
      Header("nable to handle kernel paging request at", .pageFault),
      Header("nable to handle kernel NULL pointer dereference at virtual address", .pageFault),
      Header("nable to handle kernel NULL pointer dereference at", .pageFault),
      Header("Corrupted page table at address", .corruptedTable, isPadded: false),
      Header(
        "general protection fault, probably for non-canonical address", .generalProtection,
        isPadded: false),
      Header("general protection fault, maybe for address", .generalProtection, isPadded: false),
      Header(
        "general protection fault, probably for non-canonical", .generalProtection,
        isPadded: false),
      Header("BUG: Bad page map in process", .badPageMap, isPadded: false),
    ],
    entryNames: [
      ("PGD", "pgd"), ("P4D", "p4d"), ("PUD", "pud"), ("PMD", "pmd"), ("PTE", "pte"),
      ("*pdpt", "pdpt"), ("*pde", "pde"), ("*pmd", "pmd"), ("*pte", "pte"),
    ],
    instructions: ["IP:", "EIP:", "RIP:", "EIP is at"],
    marks: [
      "BUG:", "nable to ", "#PF:", "PGD", "P4D", "PUD", "PMD", "PTE", "*pd", "*pt", "*pm", "Oops",
      "NX-prot", "Corrupted page", " bad p", "Bad page", "eneral prot", "IP:", "IP is at",
      "W+X map",
      "CPA ", "CPA:", "Testing CPA", "Linux version", "[#1", "[#2", "[#3", "[#4",
      "[#5", "[#6", "[#7", "[#8", "[#9", "addr:", "pgd:", "NULL pointer",
      "end trace", "PID:",
      "Pid:", "Kernel panic", "error_code(", "CR2:", "CR0:", "CR0=", "CR4=", "EFER=", "cut here",
      "invalid opcode", "WARNING:",
      "ommand line:", "Brought up ", "Memory: ", "ypervisor detected", "Encryption Features",
      "address sizes", "page table isolation", "PTI enabled", "Internal error", "abort info",
      "execute userspace", "Hyper-V", "EFI", "efi: ", "Xen", "Hardware name",
    ],
    starts: [
      "BUG:", "#PF", "Oops", "RIP", "EIP", "IP:", "CPU", "Pid:", "PID:", "CR0", "CR2", "CR3", "RSP",
      "RAX", "RBX", "RDX", "RBP", "R08", "R10", "R13", "EAX", "ESI", "EFLAGS", "FS:", "CS:", "DR0",
      "DS:", "Code:", "Call Trace", "Modules linked", "Hardware name", "---", "Kernel panic",
      "WARNING", "general protection", "Bad pagetable", "kernel BUG", "kernel tried",
      "Linux version", "Tainted:", "Stack", "printing eip", "Unable", "unable", "invalid opcode",
      "x86/mm", "CPA", "addr:", "file:", "INFO:", "traps:", "Process ", "Thread", "<TASK>", "<IRQ>",
      "Workqueue:", "PKRU", "Starting", "diff ", "CONFIG_", "# CONFIG",
    ],
    ends: ["cut here", "end trace", "kernel BUG at", "invalid opcode", "WARNING: CPU"],
    rootRegister: "CR3", modeRegister: "CR4", others: ["Internal error", "abort info"])
}
