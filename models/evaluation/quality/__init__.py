"""Does the quality score predict which photographs cannot be compared?"""
