"""The local mode: the whole system on one machine, from the program that `pulumi up` deploys.

`stack` starts and stops it. It runs three processes: a database server (`database_server`), MiniStack, which
answers as AWS (`ministack`, behind `gateway` and `decoding`), and the Pulumi program under mocks (`program`)
with the deployer behind it (`deployer`).
`deviations` is the list of everything that differs from AWS.
"""
