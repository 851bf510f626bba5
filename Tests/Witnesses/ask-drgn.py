"""Asks drgn where virtual addresses lead.

    ask-drgn.py IMAGE TABLE < ADDRESSES

TABLE is the virtual address of the top table. Prints ADDRESS PHYSICAL a line, `-` where nothing is
mapped.
"""

import sys

from _drgn import _linux_helper_follow_phys
from drgn import FaultError, Program

program = Program()
program.set_core_dump(sys.argv[1])
table = int(sys.argv[2], 16)
for line in sys.stdin:
    address = int(line, 16)
    try:
        found = hex(_linux_helper_follow_phys(program, table, address))
    except FaultError:
        found = "-"
    print(hex(address), found)
