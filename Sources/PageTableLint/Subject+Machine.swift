internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What the log tells of the machine and its hypervisor.
extension Subject {
  /// Whether Hyper-V may be the machine's hypervisor.
  ///
  /// Its hypercall page is mapped read-only and executable, alone. What a log does not mention may
  /// be cut off; what it says of the hypervisor comes early. Source: `hyperv_init`,
  /// arch/x86/hyperv/hv_init.c, 6.12.
  var mayBeHyperV: Bool {
    log.map { $0.value.mentions(.hyperV) || !$0.value.mentions(.banner) } ?? true
  }

  /// Whether the guest shares memory with its host by an address bit, which is part of the frames
  /// then; nil where no log tells.
  ///
  /// What a log does not mention may be cut off; what it says of that comes early.
  var sharesByAddress: Bool? {
    guard let log = log?.value else { return nil }
    if architecture.sharingMessages.contains(where: log.mentions) { return true }
    return log.mentions(.banner) ? false : nil
  }

  /// How many processors there may ever be; nil where no log tells.
  ///
  /// Source: `setup_per_cpu_areas`, arch/x86/kernel/setup_percpu.c, 6.12.
  var possibleProcessors: UInt64? { log?.value.number(after: LogMention.processors.rawValue) }

  /// Whether a graphics driver may keep a pool of uncached pages, which programs map.
  ///
  /// Each driver of that kind logs its name after `[drm]` or as agpgart. Source: `ttm_pool_alloc`,
  /// drivers/gpu/drm/ttm/ttm_pool.c, and drivers/char/agp/backend.c, 6.12.
  var mayHaveGraphicsPool: Bool {
    guard let log = log?.value, log.mentions(.banner) else { return true }
    let drivers: [LogMention] = [.directRendering, .agp, .nvidia, .nvidiaResourceManager]
    return drivers.contains { log.mentions($0) }
  }
}
