"""The deterministic mixing tool: splits, plan, render, verify.

A plan says what each mixture is made of; rendering is a pure function of the plan and the clips.
"""
