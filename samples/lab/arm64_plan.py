"""The arm64 machines of capture-arm64: a kernel, a processor, and what the command line asks for."""

from dataclasses import dataclass


@dataclass
class Machine:
    # Of Debian's: the series and the flavour, as stock-kernels has them; of build-kernel's: its name.
    series: str = ""
    flavour: str = "cloud-arm64"
    laboratory: str = ""
    cpu: str = "max"
    machine: str = "virt"
    memory: int = 512
    options: str = ""
    # UEFI (Debian's package qemu-efi-aarch64).
    firmware: bool = False
    # The format of the image, as QEMU names it.
    image: str = "elf"
    # What stock-kernels asks of its own.
    is_32 = False


BLOCKS = "hugepagesz=64K hugepages=4 hugepagesz=32M hugepages=1 hugepagesz=2M hugepages=4"
LARGE_OF_16K = "hugepagesz=2M hugepages=2 hugepagesz=32M hugepages=1"
# What may stand in a 512 MiB machine of 64K pages: 32 contiguous pages.
LARGE_OF_64K = "hugepagesz=2M hugepages=4"

PLAN = {
    # 52 bits, LPA2, five levels; E0PD makes KPTI needless.
    "arm64-612-4k52": Machine("6.12", options=f"{BLOCKS} rodata=full"),
    # KASLR forces KPTI on a processor without E0PD.
    "arm64-612-4k48-kpti": Machine("6.12", cpu="cortex-a72", options=BLOCKS),
    # Not global, and KPTI off all the same: KASLR asks for it before the option is read.
    "arm64-612-4k48-nokpti": Machine("6.12", cpu="cortex-a72", options="kpti=off"),
    "arm64-612-4k52-kpti": Machine("6.12", options="kpti=on rodata=on"),
    "arm64-612-16k52": Machine("6.12", "arm64-16k", options=LARGE_OF_16K),
    "arm64-612-16k47-kpti": Machine("6.12", "arm64-16k", cpu="max,lpa2=off", options=f"kpti=on {LARGE_OF_16K}"),
    "arm64-612-rodata-off": Machine("6.12", options="rodata=off"),
    "arm64-612-mte": Machine("6.12", machine="virt,mte=on", options="rodata=on"),
    "arm64-612-nokaslr-el2": Machine("6.12", machine="virt,virtualization=on", options="nokaslr"),
    # QEMU's kdumps of arm64 have pages of 64K, whatever the kernel's are.
    "arm64-612-kdump": Machine("6.12", cpu="cortex-a72", image="kdump-zlib"),
    "arm64-612-efi": Machine("6.12", firmware=True, memory=512),
    "arm64-61-4k48": Machine("6.1", options=BLOCKS),
    "arm64-61-4k48-kpti": Machine("6.1", cpu="cortex-a72"),
    "arm64-73-4k52": Machine("7.3", options=BLOCKS),
    "arm64-73-4k48-kpti": Machine("7.3", cpu="cortex-a72"),
    "arm64-73-16k52": Machine("7.3", "arm64-16k", options=LARGE_OF_16K),
    # Kernels without KFENCE: their direct map has blocks and contiguous groups unless rodata is full.
    "arm64-64k52": Machine(laboratory="arm64-64k-52", options=f"rodata=on {LARGE_OF_64K}"),
    "arm64-64k48": Machine(laboratory="arm64-64k-52", cpu="cortex-a57", options="rodata=full"),
    "arm64-64k42": Machine(laboratory="arm64-64k-42", options="rodata=on"),
    "arm64-4k39": Machine(laboratory="arm64-4k-39", options=f"rodata=on {BLOCKS}"),
    "arm64-4k39-full": Machine(laboratory="arm64-4k-39", cpu="cortex-a72", options="rodata=full nokaslr"),
    "arm64-16k36": Machine(laboratory="arm64-16k-36", options="rodata=on"),
}
