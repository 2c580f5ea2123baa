# op: clock.read v1
# The server's name and clock, which every answer carries: the measure for the time limit of a write.
Write-Answer @{ fault = $null }
exit 0
