"""The machines of stock-kernels: one of each series and switch, and what gives false alarms elsewhere.

Each is a row of data; stock-kernels knows how to boot it.
"""

from dataclasses import dataclass


@dataclass
class Machine:
    series: str
    flavour: str = "cloud-amd64"
    pti: str = "on"
    cpu: str = "max,la57=off"
    memory: int = 384
    # More of the kernel's command line.
    options: str = ""
    # More of QEMU's.
    qemu: tuple = ()
    # UEFI (Debian's package ovmf) instead of the BIOS.
    firmware: bool = False
    # Whether it loads a kernel to boot and one for a crash.
    kexec: bool = False
    # Whether it crashes then: its memory is what the crash kernel copies from /proc/vmcore.
    crash: bool = False
    # What its shell does before the machine is READY, with `guest` of guest.c, and with these modules in /modules.
    actions: str = ""
    modules: tuple = ()
    # What the monitor does when the console says that: (marker, ((command, arguments), ...)); the memory is taken
    # at the last marker.
    steps: tuple = ()
    # A regular expression for each line that the console has to show, or the machine did not do what it is for.
    shows: tuple = ()
    # A kernel of build-kernel instead of Debian's own.
    laboratory: str = ""

    @property
    def is_32(self):
        return "686" in self.flavour


def plan_of_series():
    """Each series once with each value of each switch, in pairs where that costs no more."""
    plan = {}
    for number, series in enumerate(("5.10", "6.1", "6.12", "6.16", "6.19", "7.0", "7.1", "7.2", "7.3")):
        flavours = ("cloud-amd64", "amd64") if number % 2 else ("amd64", "cloud-amd64")
        plan[f"{series}-pti"] = Machine(series, flavours[0], "on", "max,la57=off", 512)
        plan[f"{series}-5level"] = Machine(series, flavours[1], "off", "max,la57=on", 512)
    plan["5.10-686-pae"] = Machine("5.10", "686-pae", "on", "max", 384)
    plan["5.10-686"] = Machine("5.10", "686", "off", "max", 384)
    plan["6.1-686-pae"] = Machine("6.1", "686-pae", "on", "max", 384)
    plan["6.1-686"] = Machine("6.1", "686", "off", "max", 384)
    # Modules and vmalloc before 6.4 and 6.9, which keep their lists otherwise.
    plan["6.1-modules"] = Machine("6.1", "amd64", "on", memory=512, actions=MODULES, modules=CHURN,
                                  shows=("^loop .*", "^tun .*"))
    plan["5.10-ovmf"] = Machine("5.10", "amd64", "off", memory=512, firmware=True, shows=("efi: EFI v",))
    return plan


# Two memory modules of 128 MiB are plugged in, all is used, and one is pulled out again.
SLOTS = ("-m", "512,slots=4,maxmem=2G")
PLUG = tuple(step for n in (1, 2) for step in (
    ("object-add", {"qom-type": "memory-backend-ram", "id": f"module{n}", "size": 128 << 20}),
    ("device_add", {"driver": "pc-dimm", "id": f"dimm{n}", "memdev": f"module{n}"})))
BLOCKS = "$(ls -d /sys/devices/system/memory/memory* | wc -l)"
HOTPLUG = f"""before={BLOCKS}
(
	until [ {BLOCKS} = $((before + 2)) ]; do sleep 1; done
	for block in /sys/devices/system/memory/memory*; do
		grep -q offline $block/state && echo online_movable > $block/state
	done
	sleep 2
	grep MemTotal /proc/meminfo
	echo === PLUGGED ===
	until [ {BLOCKS} = $((before + 1)) ]; do sleep 1; done
	echo === UNPLUGGED ===
) &"""
TRACING = "mount -t tracefs trace /sys/kernel/tracing; cd /sys/kernel/tracing"
KPROBES = f"""{TRACING}
echo 'p:one do_sys_openat2' > kprobe_events
echo 'p:two vfs_read+9' >> kprobe_events
echo 'r:three vfs_read' >> kprobe_events
echo 1 > events/kprobes/enable
cat /proc/version > /tmp/read
sleep 1
echo 0 > tracing_on
cat /sys/kernel/debug/kprobes/list
wc -l < trace | sed 's/^/=== lines of the trace: /'
cd /"""
FTRACE = f"""{TRACING}
echo do_sys_openat2 > set_ftrace_filter
echo function > current_tracer
cat /proc/version > /tmp/read
echo 0 > tracing_on
grep -c do_sys_openat2 trace | sed 's/^/=== calls traced: /'
cd /"""
CHURN = ("loop", "dummy", "tun", "msr", "cpuid")
MODULES = """for round in 1 2 3 4 5 6 7 8; do
	for module in /modules/*.ko; do insmod $module; done
	for module in /modules/*.ko; do name=${module##*/}; [ $round = 8 ] || rmmod ${name%.ko}; done
done
lsmod"""
SHOW_VSYSCALL = "grep -c vsyscall /proc/self/maps | sed 's/^/=== vsyscall pages: /'"
SHOW_HUGETLB = "echo === vmemmap freed: $(cat /proc/sys/vm/hugetlb_optimize_vmemmap)"


def plan_of_features():
    """What gives false alarms elsewhere, on the newest kernel, where it is not of the laboratory."""
    def newest(options="", flavour="amd64", **more):
        return Machine("7.3", flavour, "off", memory=more.pop("memory", 512), options=options, **more)

    def built(name, options="", **more):
        return newest(options, laboratory=name, **more)

    cloud = "cloud-amd64"
    return {
        "kexec": newest("crashkernel=128M", cloud, kexec=True, shows=("LOADED 1 1",)),
        "vmcore": newest("crashkernel=192M", cloud, memory=768, kexec=True, crash=True, modules=("virtio_blk",),
                         shows=("=== COPIED ===",)),
        "hotplug": newest(qemu=SLOTS, actions=HOTPLUG, shows=("=== UNPLUGGED ===",),
                          steps=(("READY", PLUG), ("PLUGGED", (("device_del", {"id": "dimm2"}),)), ("UNPLUGGED", ()))),
        # With it the direct map has no large page.
        "debug_pagealloc": built("new-73", "debug_pagealloc=on", actions="grep DirectMap /proc/meminfo",
                                 shows=(r"DirectMap2M: +0 kB",)),
        "kfence": newest("kfence.sample_interval=1", shows=(r"kfence: initialized",)),
        "kasan": built("new-73-kasan", shows=("KernelAddressSanitizer initialized",)),
        "nopat": newest("nopat", shows=("PAT support disabled",)),
        "vsyscall-none": newest("vsyscall=none", actions=SHOW_VSYSCALL, shows=("vsyscall pages: 0",)),
        "vsyscall-emulate": newest("vsyscall=emulate", actions=SHOW_VSYSCALL, shows=("vsyscall pages: 1",)),
        "vsyscall-xonly": newest("vsyscall=xonly", actions=SHOW_VSYSCALL, shows=("vsyscall pages: 1",)),
        "ovmf": newest(firmware=True, shows=("efi: EFI v",)),
        "hugetlb": newest("hugetlb_free_vmemmap=on hugepages=32", actions=f"guest hugetlb; {SHOW_HUGETLB}",
                          shows=("=== hugetlb ===", "vmemmap freed: 1")),
        # The kernel turns them off where there is less than 512 MiB.
        "thp": newest(actions="echo always > /sys/kernel/mm/transparent_hugepage/enabled; guest thp",
                      shows=("=== thp ===",)),
        "bpf": newest(actions="guest bpf 200", shows=("=== bpf ===",)),
        "kprobes": newest(actions=KPROBES, shows=("OPTIMIZED", r"=== lines of the trace: [1-9]\d+")),
        "ftrace": newest(actions=FTRACE, shows=("=== calls traced: [1-9]",)),
        "modules": newest(flavour=cloud, actions=MODULES, modules=CHURN, shows=("^loop .*", "^tun .*")),
        "memfd_secret": newest(actions="guest secret", shows=("=== secret ===",)),
        # Where it was linked to; what the decompressor says of it does not reach every console.
        "nokaslr": newest("nokaslr", shows=(r"^ffffffff8[12]\w{6} \w ptdump_walk_pgd_level_debugfs",)),
        "nosmp": newest("nosmp"),
        "nogbpages": newest("nogbpages"),
    }


PLAN = plan_of_series() | {f"7.3-{name}": machine for name, machine in plan_of_features().items()}
