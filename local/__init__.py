"""Local mode: the whole system on one machine, from the program that `pulumi up` deploys.

`stack` starts and stops three processes: a database server (`database`), MiniStack in place of AWS
(`emulator`), and the Pulumi program under mocks (`program`), which create each resource on the other two
(`deployer`). `deviations` lists everything that differs from AWS.
"""
