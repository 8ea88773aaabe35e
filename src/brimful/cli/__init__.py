"""The command line: commands, plans, progress bars. Nothing below it imports rich or click.

main       the group of commands, and the handling of errors
console    output: text, bars and tables for people, one JSON document for programs
progress   a listener: shows the progress of a training
options    the options that describe the data
backend    starts Keras
scan       brimful scan
store      brimful pack, info, verify
train      brimful train
bench      brimful bench
demo       brimful demo
"""
