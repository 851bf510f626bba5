"""What spark-submit runs: the fleet's commands."""

from ptdump_lint.fleet.__main__ import main

raise SystemExit(main())
